package outbound

import (
	"math"
	"strings"
	"testing"
	"time"
)

// waits lists the waits of a policy without its jitter, until it gives up.
func waits(p RetryPolicy) []time.Duration {
	p.Jitter = 0
	var all []time.Duration
	var age time.Duration
	for attempt := 1; ; attempt++ {
		wait, again := p.Next(attempt, age)
		if !again {
			return all
		}
		all = append(all, wait)
		age += wait
	}
}

func TestRetryPolicyWaits(t *testing.T) {
	t.Parallel()
	const h, m, s = time.Hour, time.Minute, time.Second
	cases := []struct {
		text string
		want []time.Duration
	}{
		{"standard", []time.Duration{5 * s, 5 * m, 30 * m, 2 * h, 5 * h, 10 * h, 14 * h, 20 * h, 24 * h}},
		{"acapy", []time.Duration{10 * s, 10 * s, 10 * s, 10 * s}},
		{"none", nil},
		{"attempts=4,base=1s", []time.Duration{s, s, s}},
		{"attempts=6,base=1s,factor=2,max=5s", []time.Duration{s, 2 * s, 4 * s, 5 * s, 5 * s}},
		{"attempts=4,delays=1s/3s", []time.Duration{s, 3 * s, 3 * s}},
		{"attempts=5,delays=1s/3s,base=10s,factor=3", []time.Duration{s, 3 * s, 10 * s, 30 * s}},
		{"attempts=10,base=10s,age=35s", []time.Duration{10 * s, 10 * s, 10 * s}},
		{"standard,attempts=3", []time.Duration{5 * s, 5 * m}},
		{"attempts=3,base=0s", []time.Duration{0, 0}},
	}
	for _, c := range cases {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			policy, err := ParseRetryPolicy(c.text)
			if err != nil {
				t.Fatal(err)
			}
			got := waits(policy)
			if len(got) != len(c.want) {
				t.Fatalf("waits = %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("wait %d = %v, want %v", i+1, got[i], c.want[i])
				}
			}
		})
	}
}

func TestRetryPolicyText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"standard", "acapy", "exponential", "none",
		"attempts=3,base=1s,max=1m0s,age=1h0m0s,factor=1.5,jitter=0.25", "attempts=4,delays=1s/5m0s",
		"attempts=3,base=1s,failover=2",
	} {
		policy, err := ParseRetryPolicy(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := policy.String(); got != text {
			t.Errorf("String() = %q, want %q", got, text)
		}
	}
}

func TestRetryPolicyFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "unknown preset",
		"often":                  "unknown preset",
		"attempts=0":             "attempts: want at least 1",
		"attempts=-1":            "attempts: want at least 1",
		"attempts=x":             "attempts:",
		"base=1s":                "attempts: want at least 1",
		"standard,base=-1s":      "no negative",
		"standard,jitter=2":      "jitter: want",
		"standard,jitter=NaN":    "jitter: want",
		"standard,factor=Inf":    "factor: want",
		"standard,delays=1s/5":   "delays:",
		"standard,delays=-1s":    "delays: want no negative",
		"standard,nonsense=1":    "unknown field",
		"standard,failover=0":    "failover: want at least 1",
		"standard,failover=one":  "failover:",
		"standard,acapy":         "is not a field",
		"attempts=5":             "says no wait",
		"attempts=5,factor=2":    "says no wait",
		"attempts=3,base=1hour":  "base:",
		"attempts=3, base = 1 s": "unknown field",
	} {
		if _, err := ParseRetryPolicy(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRetryPolicy(%q) = %v, want an error with %q", text, err, want)
		}
	}
}

func TestRetryPolicyNeverOverflows(t *testing.T) {
	t.Parallel()
	policy := RetryPolicy{Base: time.Hour, Factor: 10, MaxAttempts: math.MaxInt, Jitter: 1}
	for _, attempt := range []int{1, 10, 100, 10_000} {
		if wait, again := policy.Next(attempt, 0); !again || wait < time.Hour {
			t.Errorf("Next(%d) = %v, %v", attempt, wait, again)
		}
	}
}

func TestRetryJitterOnlyLengthens(t *testing.T) {
	t.Parallel()
	policy := RetryPolicy{Base: time.Second, MaxAttempts: 2, Jitter: 0.5}
	for range 1000 {
		wait, _ := policy.Next(1, 0)
		if wait < time.Second || wait > 1500*time.Millisecond {
			t.Fatalf("wait = %v, want 1s to 1.5s", wait)
		}
	}
}

func FuzzParseRetryPolicy(f *testing.F) {
	for _, seed := range []string{"standard", "acapy,attempts=3,failover=1", "attempts=3,delays=1s/2s,factor=2", "base==", ",,,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		policy, err := ParseRetryPolicy(text)
		if err != nil {
			return
		}
		again, err := ParseRetryPolicy(policy.String())
		if err != nil {
			t.Fatalf("%q prints as %q, which is no policy: %v", text, policy.String(), err)
		}
		if again.String() != policy.String() {
			t.Fatalf("%q prints as %q and then as %q", text, policy.String(), again.String())
		}
		for attempt := 1; attempt < 20; attempt++ {
			if wait, _ := policy.Next(attempt, 0); wait < 0 {
				t.Fatalf("%q: wait %d is %v", text, attempt, wait)
			}
		}
	})
}

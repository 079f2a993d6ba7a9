package httprules

import (
	"testing"
	"time"
)

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		value string
		wait  time.Duration
		ok    bool
	}{
		"seconds":              {"120", 2 * time.Minute, true},
		"zero":                 {"0", 0, true},
		"leading zeros":        {"007", 7 * time.Second, true},
		"spaces around":        {"  5 ", 5 * time.Second, true},
		"an hour":              {"3600", time.Hour, true},
		"a day":                {"86400", MaxRetryAfter, true},
		"a year":               {"31536000", MaxRetryAfter, true},
		"overflows a duration": {"9223372037", MaxRetryAfter, true},
		"overflows an integer": {"99999999999999999999999999", MaxRetryAfter, true},
		"negative":             {"-5", 0, true},
		"date":                 {"Sun, 01 Mar 2026 12:01:30 GMT", 90 * time.Second, true},
		"date, RFC 850":        {"Sunday, 01-Mar-26 12:00:10 GMT", 10 * time.Second, true},
		"date, asctime":        {"Sun Mar  1 12:00:20 2026", 20 * time.Second, true},
		"date in the past":     {"Fri, 31 Dec 1999 23:59:59 GMT", 0, true},
		"date far away":        {"Fri, 31 Dec 9999 23:59:59 GMT", MaxRetryAfter, true},
		"empty":                {"", 0, false},
		"sign alone":           {"-", 0, false},
		"fraction":             {"1.5", 0, false},
		"words":                {"soon", 0, false},
		"plus":                 {"+5", 0, false},
		"two values":           {"5, 6", 0, false},
		"date without a zone":  {"Sun, 01 Mar 2026 12:01:30", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if wait, ok := ParseRetryAfter(test.value, now); wait != test.wait || ok != test.ok {
				t.Errorf("got %v %v, want %v %v", wait, ok, test.wait, test.ok)
			}
		})
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, value := range []string{"5", "-1", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT", "", "1e9"} {
		f.Add(value)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		wait, ok := ParseRetryAfter(value, now)
		if wait < 0 || wait > MaxRetryAfter || (!ok && wait != 0) {
			t.Errorf("got %v %v", wait, ok)
		}
	})
}

package outbound

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// RetryPolicy says when a failed attempt is followed by another. It is bounded by
// attempts and by age. The zero value is not a policy; start from a preset.
type RetryPolicy struct {
	// Delays are the waits before the second attempt, the third, and so on. Past
	// the last one, waits grow from Base.
	Delays []time.Duration
	// Base is the first wait after Delays are used up. Zero repeats the last of
	// Delays.
	Base time.Duration
	// Factor multiplies the wait each time. Default: 1.
	Factor float64
	// Max is the longest wait, before jitter. Zero does not limit.
	Max time.Duration
	// Jitter lengthens each wait by a random part of it, up to this fraction,
	// from 0 to 1. It never shortens one.
	Jitter float64
	// MaxAttempts counts the first attempt too. At least 1.
	MaxAttempts int
	// MaxAge is the time since the message was queued after which an attempt that
	// failed is followed by no other. Zero does not limit. A message that must not
	// arrive late has Message.ExpiresAt.
	MaxAge time.Duration
	// FailoverAfter is how many attempts in a row a target of a message with
	// alternates gets before the next one is tried. Default: 3.
	FailoverAfter int
}

// DefaultFailoverAfter is the default of RetryPolicy.FailoverAfter.
const DefaultFailoverAfter = 3

const day = 24 * time.Hour

// StandardRetry is the example schedule of Standard Webhooks 1.0: ten attempts
// over a little more than three days.
func StandardRetry() RetryPolicy {
	return RetryPolicy{
		Delays: []time.Duration{
			5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
			10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
		},
		Factor: 1, Jitter: 0.1, MaxAttempts: 10, MaxAge: 5 * day,
	}
}

// ACAPyRetry is what ACA-Py does: five attempts, ten seconds apart.
func ACAPyRetry() RetryPolicy {
	return RetryPolicy{Base: 10 * time.Second, Factor: 1, MaxAttempts: 5, MaxAge: day}
}

// ExponentialRetry doubles from one second to an hour, for at most three days.
func ExponentialRetry() RetryPolicy {
	return RetryPolicy{Base: time.Second, Factor: 2, Max: time.Hour, Jitter: 0.5, MaxAttempts: 80, MaxAge: 3 * day}
}

// NoRetry makes one attempt.
func NoRetry() RetryPolicy { return RetryPolicy{Factor: 1, MaxAttempts: 1} }

var retryPresets = []struct {
	name   string
	policy func() RetryPolicy
}{
	{"standard", StandardRetry}, {"acapy", ACAPyRetry}, {"exponential", ExponentialRetry}, {"none", NoRetry},
}

// Next returns the wait after the attempt of that number has failed at that age
// of the message, and false when there is to be no other.
func (p *RetryPolicy) Next(attempt int, age time.Duration) (time.Duration, bool) {
	return p.next(attempt, attempt, age, 0)
}

// next is Next for a message that is at that step of the schedule. A destination's
// Retry-After can put the attempt off, never hasten it.
func (p *RetryPolicy) next(attempt, step int, age, retryAfter time.Duration) (time.Duration, bool) {
	if attempt >= p.MaxAttempts {
		return 0, false
	}
	wait := p.wait(step)
	if p.Jitter > 0 {
		wait = saturate(float64(wait) * (1 + p.Jitter*rand.Float64())) //nolint:gosec // spreads load, keeps no secret
	}
	wait = max(wait, retryAfter)
	if !p.allows(attempt, age, wait) {
		return 0, false
	}
	return wait, true
}

// allows reports whether the attempt of that number, at that age of the message,
// may be followed by another after a wait.
func (p *RetryPolicy) allows(attempt int, age, wait time.Duration) bool {
	return attempt < p.MaxAttempts && (p.MaxAge == 0 || wait <= p.MaxAge-age)
}

func (p *RetryPolicy) triesPerTarget() int { return cmp.Or(p.FailoverAfter, DefaultFailoverAfter) }

// wait is the wait of that step of the schedule, without jitter.
func (p *RetryPolicy) wait(attempt int) time.Duration {
	if attempt <= len(p.Delays) {
		return p.Delays[attempt-1]
	}
	first, steps := p.Base, attempt-len(p.Delays)-1
	if first == 0 && len(p.Delays) > 0 {
		first = p.Delays[len(p.Delays)-1]
	}
	wait := saturate(float64(first) * math.Pow(max(p.Factor, 1), float64(steps)))
	if p.Max > 0 {
		wait = min(wait, p.Max)
	}
	return wait
}

// saturate keeps a product that is too long for a Duration from wrapping round.
func saturate(nanoseconds float64) time.Duration {
	if nanoseconds >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(nanoseconds)
}

func (p *RetryPolicy) isZero() bool {
	return len(p.Delays) == 0 && p.Base == 0 && p.Factor == 0 && p.Max == 0 && p.Jitter == 0 && p.MaxAttempts == 0 && p.MaxAge == 0 &&
		p.FailoverAfter == 0
}

// Validate names what is wrong with the policy.
func (p *RetryPolicy) Validate() error {
	var faults []error
	if p.MaxAttempts < 1 {
		faults = append(faults, errors.New("attempts: want at least 1"))
	}
	if p.FailoverAfter < 0 {
		faults = append(faults, errors.New("failover: want at least 1"))
	}
	if p.Factor < 0 || math.IsNaN(p.Factor) || math.IsInf(p.Factor, 0) {
		faults = append(faults, errors.New("factor: want a number that is not negative; below 1 counts as 1"))
	}
	if !(p.Jitter >= 0 && p.Jitter <= 1) {
		faults = append(faults, errors.New("jitter: want a number from 0 to 1"))
	}
	if p.Base < 0 || p.Max < 0 || p.MaxAge < 0 {
		faults = append(faults, errors.New("base, max and age: want no negative duration"))
	}
	for _, delay := range p.Delays {
		if delay < 0 {
			faults = append(faults, errors.New("delays: want no negative duration"))
			break
		}
	}
	return errors.Join(faults...)
}

// String returns the text that ParseRetryPolicy reads: the name of a preset
// where the policy is one, otherwise its fields.
func (p *RetryPolicy) String() string {
	text := p.fields()
	for _, preset := range retryPresets {
		if policy := preset.policy(); policy.fields() == text {
			return preset.name
		}
	}
	return text
}

func (p *RetryPolicy) fields() string {
	fields := []string{"attempts=" + strconv.Itoa(p.MaxAttempts)}
	if len(p.Delays) > 0 {
		delays := make([]string, len(p.Delays))
		for i, delay := range p.Delays {
			delays[i] = delay.String()
		}
		fields = append(fields, "delays="+strings.Join(delays, "/"))
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"base", p.Base}, {"max", p.Max}, {"age", p.MaxAge}} {
		if f.value != 0 || f.name == "base" && p.MaxAttempts > 1 && len(p.Delays) == 0 {
			fields = append(fields, f.name+"="+f.value.String())
		}
	}
	if p.Factor > 1 {
		fields = append(fields, "factor="+strconv.FormatFloat(p.Factor, 'g', -1, 64))
	}
	if p.Jitter > 0 {
		fields = append(fields, "jitter="+strconv.FormatFloat(p.Jitter, 'g', -1, 64))
	}
	if p.FailoverAfter > 0 {
		fields = append(fields, "failover="+strconv.Itoa(p.FailoverAfter))
	}
	return strings.Join(fields, ",")
}

// ParseRetryPolicy reads a preset ("standard", "acapy", "exponential", "none"),
// fields ("attempts=3,base=1s,factor=2"), or a preset with fields changed
// ("exponential,attempts=3"). The fields are attempts, delays (durations parted
// by "/"), base, max, age, factor, jitter and failover.
func ParseRetryPolicy(text string) (RetryPolicy, error) {
	policy := RetryPolicy{Factor: 1}
	for i, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		name, value, isField := strings.Cut(part, "=")
		var err error
		switch {
		case isField:
			err = policy.set(name, value)
		case i == 0:
			policy, err = retryPreset(part)
		default:
			err = fmt.Errorf("%q is not a field: write name=value", part)
		}
		if err != nil {
			return RetryPolicy{}, fmt.Errorf("retry policy: %w", err)
		}
	}
	if err := policy.Validate(); err != nil {
		return RetryPolicy{}, fmt.Errorf("retry policy: %w", err)
	}
	if policy.MaxAttempts > 1 && len(policy.Delays) == 0 && policy.Base == 0 && !strings.Contains(text, "base=") {
		return RetryPolicy{}, errors.New("retry policy: says no wait: add base=1s or delays=1s/5m, or change a preset as in exponential,attempts=5")
	}
	return policy, nil
}

func retryPreset(name string) (RetryPolicy, error) {
	names := make([]string, len(retryPresets))
	for i, preset := range retryPresets {
		if preset.name == name {
			return preset.policy(), nil
		}
		names[i] = preset.name
	}
	return RetryPolicy{}, fmt.Errorf("unknown preset %q: want one of %s, or fields such as attempts=3,base=1s", name, strings.Join(names, ", "))
}

func (p *RetryPolicy) set(name, value string) (err error) {
	switch name {
	case "attempts":
		p.MaxAttempts, err = strconv.Atoi(value)
	case "failover":
		if p.FailoverAfter, err = strconv.Atoi(value); err == nil && p.FailoverAfter < 1 {
			return errors.New("failover: want at least 1")
		}
	case "base":
		p.Base, err = time.ParseDuration(value)
	case "max":
		p.Max, err = time.ParseDuration(value)
	case "age":
		p.MaxAge, err = time.ParseDuration(value)
	case "factor":
		p.Factor, err = strconv.ParseFloat(value, 64)
	case "jitter":
		p.Jitter, err = strconv.ParseFloat(value, 64)
	case "delays":
		p.Delays = nil
		for text := range strings.SplitSeq(value, "/") {
			delay, fault := time.ParseDuration(text)
			if fault != nil {
				return fmt.Errorf("delays: %q is not a duration such as 5m", text)
			}
			p.Delays = append(p.Delays, delay)
		}
	default:
		return fmt.Errorf("unknown field %q: want attempts, delays, base, max, age, factor, jitter or failover", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %q is not a number or duration", name, value)
	}
	return nil
}

package outbound

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
)

// ErrQuotaExceeded says that a profile has queued as much as its limits allow.
// Nothing was kept. The error is a [*QuotaError].
var ErrQuotaExceeded = errors.New("quota exceeded")

// QuotaError says which limit of its profile a message, or a batch, exceeds.
type QuotaError struct {
	Profile string // its id
	// Limit is the name of the limit, as the configuration has it below limits:
	// "max_messages", "max_bytes", "max_destinations", "max_pickup_messages",
	// "max_pickup_bytes", "max_rate" or "burst".
	Limit string
	Max   float64 // what it allows
	// RetryAfter is how long to wait until a rate allows it. Zero where that is not
	// known: until messages of the profile have ended; for burst, never.
	RetryAfter time.Duration
}

func (e *QuotaError) Error() string {
	text := fmt.Sprintf("%v: profile %s: limits.%s is %s: ", ErrQuotaExceeded, e.Profile, e.Limit, strconv.FormatFloat(e.Max, 'f', -1, 64))
	switch {
	case e.Limit == "burst":
		return text + "send a smaller batch"
	case e.RetryAfter > 0:
		return text + "try again in " + e.RetryAfter.String()
	default:
		return text + "try again when messages have ended"
	}
}

// Unwrap returns ErrQuotaExceeded.
func (e *QuotaError) Unwrap() error { return ErrQuotaExceeded }

// quotas counts what waits for each profile that has limits. Where a directory
// gives a profile its first limits while messages wait, those count from the next
// time it has none, or from the next start.
type quotas struct {
	profiles map[string]*usage // those with messages that wait
	rates    rates
}

// usage is what waits for one profile.
type usage struct {
	messages, bytes int64
	lanes           map[string]int64 // messages by destination
}

// quotaLimits returns the limits that quotas keep, and whether there are any.
func quotaLimits(tenant *profile.Profile) (limits profile.Limits, limited bool) {
	limits = tenant.Limits()
	return limits, limits.MaxMessages > 0 || limits.MaxBytes > 0 || limits.MaxDestinations > 0 || limits.MaxRate > 0
}

// track counts messages of a profile that has limits.
func (q *quotas) track(lane queue.Lane, messages, bytes int64) {
	u := q.profiles[lane.Profile]
	if u == nil {
		if q.profiles == nil {
			q.profiles = map[string]*usage{}
		}
		u = &usage{lanes: map[string]int64{}}
		q.profiles[lane.Profile] = u
	}
	u.messages += messages
	u.bytes += bytes
	u.lanes[lane.Destination] += messages
}

// forget is track undone for one message, of any profile.
func (q *quotas) forget(lane queue.Lane, bytes int64) {
	u := q.profiles[lane.Profile]
	if u == nil {
		return
	}
	u.messages--
	u.bytes -= bytes
	if u.lanes[lane.Destination]--; u.lanes[lane.Destination] <= 0 {
		delete(u.lanes, lane.Destination)
	}
	if u.messages <= 0 {
		delete(q.profiles, lane.Profile)
	}
}

// move counts a message in another lane of its profile.
func (q *quotas) move(from, to queue.Lane) {
	if u := q.profiles[from.Profile]; u != nil && from != to {
		q.track(to, 1, 0)
		q.forget(from, 0)
	}
}

// admit counts a batch, each message of which has its tenant, or refuses it. What
// takes the place of others is held to the rates, and to what would never fit.
func (q *quotas) admit(batch []queue.Message, tenants []*profile.Profile, elapsed time.Duration, inPlace bool) error {
	if err := neverFits(batch, tenants); err != nil {
		return err
	}
	for i, tenant := range tenants {
		if _, limited := quotaLimits(tenant); limited {
			q.track(batch[i].Lane, 1, batch[i].Size())
		}
	}
	var err error
	if !inPlace {
		err = q.check(tenants)
	}
	if err == nil {
		err = q.spend(tenants, elapsed)
	}
	if err != nil {
		for i := range batch {
			if _, limited := quotaLimits(tenants[i]); limited {
				q.forget(batch[i].Lane, batch[i].Size())
			}
		}
	}
	return err
}

// neverFits reports a batch that is more by itself than one of its tenants may ever
// have waiting.
func neverFits(batch []queue.Message, tenants []*profile.Profile) error {
	for i, tenant := range tenants {
		limits, limited := quotaLimits(tenant)
		if !limited || i > 0 && tenants[i-1] == tenant {
			continue
		}
		messages, bytes := int64(0), int64(0)
		for j := range batch {
			if tenants[j] == tenant {
				messages++
				bytes += batch[j].Size()
			}
		}
		if limits.MaxMessages > 0 && messages > limits.MaxMessages || limits.MaxBytes > 0 && bytes > limits.MaxBytes {
			return fmt.Errorf("%w: %d messages of %d bytes, and profile %s may have %s waiting",
				ErrTooLarge, messages, bytes, tenant.ID(), waitingText(limits))
		}
	}
	return nil
}

// waitingText says how much limits allow to wait.
func waitingText(limits profile.Limits) string {
	var text []string
	if limits.MaxMessages > 0 {
		text = append(text, fmt.Sprintf("%d messages", limits.MaxMessages))
	}
	if limits.MaxBytes > 0 {
		text = append(text, fmt.Sprintf("%d bytes", limits.MaxBytes))
	}
	return strings.Join(text, " and ")
}

// check compares what waits with the limits of those whose messages were added.
func (q *quotas) check(tenants []*profile.Profile) error {
	for i, tenant := range tenants {
		limits, limited := quotaLimits(tenant)
		if !limited || i > 0 && tenants[i-1] == tenant {
			continue
		}
		u := q.profiles[tenant.ID()]
		for _, limit := range [...]struct {
			name      string
			used, max int64
		}{
			{"max_messages", u.messages, limits.MaxMessages},
			{"max_bytes", u.bytes, limits.MaxBytes},
			{"max_destinations", int64(len(u.lanes)), limits.MaxDestinations},
		} {
			if limit.max > 0 && limit.used > limit.max {
				return &QuotaError{Profile: tenant.ID(), Limit: limit.name, Max: float64(limit.max)}
			}
		}
	}
	return nil
}

// spend takes the messages from the rates of their tenants: all, or none.
func (q *quotas) spend(tenants []*profile.Profile, elapsed time.Duration) error {
	for start := 0; start < len(tenants); {
		end := start + 1
		for end < len(tenants) && tenants[end] == tenants[start] {
			end++
		}
		if err := q.rates.spend(tenants[start], end-start, elapsed); err != nil {
			for _, tenant := range tenants[:start] {
				q.rates.giveBack(tenant)
			}
			return err
		}
		start = end
	}
	return nil
}

// rates are token buckets: for each profile, the time on the manager's clock at
// which its bucket is full. One that is full needs no entry.
type rates struct {
	full    map[string]time.Duration
	sweepAt int // entries
}

// spend takes n messages from a profile's bucket.
func (r *rates) spend(tenant *profile.Profile, n int, elapsed time.Duration) error {
	limits := tenant.Limits()
	if limits.MaxRate <= 0 {
		return nil
	}
	burst := burstOf(limits)
	if int64(n) > burst {
		return &QuotaError{Profile: tenant.ID(), Limit: "burst", Max: float64(burst)}
	}
	full := max(r.full[tenant.ID()], elapsed) + cost(limits, int64(n))
	if wait := full - elapsed - cost(limits, burst); wait > 0 {
		return &QuotaError{Profile: tenant.ID(), Limit: "max_rate", Max: limits.MaxRate, RetryAfter: wait}
	}
	r.sweep(elapsed)
	r.full[tenant.ID()] = full
	return nil
}

// giveBack undoes the spending of one message.
func (r *rates) giveBack(tenant *profile.Profile) {
	if limits := tenant.Limits(); limits.MaxRate > 0 {
		r.full[tenant.ID()] -= cost(limits, 1)
	}
}

// sweep forgets the buckets that are full, when there are twice as many entries
// as the last time.
func (r *rates) sweep(elapsed time.Duration) {
	if len(r.full) < r.sweepAt {
		return
	}
	for id, full := range r.full {
		if full <= elapsed {
			delete(r.full, id)
		}
	}
	if r.full == nil {
		r.full = map[string]time.Duration{}
	}
	r.sweepAt = max(64, 2*len(r.full))
}

// maxCost keeps sums of costs from wrapping round.
const maxCost = 1 << 61

// cost is how long a bucket takes to gain n messages.
func cost(limits profile.Limits, n int64) time.Duration {
	return min(saturate(float64(n)/limits.MaxRate*float64(time.Second)), maxCost)
}

// burstOf is how many messages fit into a bucket: by default those of a second.
func burstOf(limits profile.Limits) int64 {
	if limits.Burst > 0 {
		return limits.Burst
	}
	return max(1, int64(limits.MaxRate))
}

package outbound

import (
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// maxRetryAfter is the longest pause a destination is granted.
const maxRetryAfter = day

// askedForPause is the reason of a pause that a destination has asked for.
const askedForPause = "the destination asked for a pause"

// judge turns a failed attempt into what becomes of the message: an attempt that the
// hard stop cut short, or that found the destination away, does not count; what the
// policy does not try again is dead. It reports whether the lane is to wait for its
// destination.
func (m *Manager) judge(leased *queue.Leased, fault *attemptFault, outcome *queue.Outcome, log *queue.Attempt) (away bool) {
	facts := &fault.facts
	log.Class, log.Code, log.Error, log.Response = facts.Class, facts.Code, fault.text, facts.Response
	if facts.MaybeSent {
		log.Evidence = max(log.Evidence, transport.Written)
	}
	if fault.stack != nil {
		m.log.Error("an attempt panicked", zap.Stringer("message_id", leased.ID), zap.ByteString("stack", fault.stack))
	}
	away = facts.Away || isPickup(leased.Lane) && facts.Class != transport.Permanent && !m.reaches(leased)
	if facts.Away || m.base.Err() != nil && facts.Class != transport.Permanent {
		*outcome = released(leased)
		return away
	}
	finished := log.StartedAt.Add(log.Duration)
	m.holdLane(leased.Lane, facts, finished)
	if facts.Uncounted && m.mayWait(leased, finished) {
		*outcome = released(leased)
		outcome.At = finished.Add(max(clampRetryAfter(facts.RetryAfter), uncountedWait))
		return false
	}
	at, target, again := m.next(leased, facts, finished)
	if !again {
		outcome.Verdict, outcome.Status = queue.VerdictDead, string(StatusUndeliverable)
		return away
	}
	outcome.Verdict, outcome.At, outcome.Target, outcome.Skip = queue.VerdictRetry, at, target, leased.SkipBlocked
	return away
}

// uncountedWait is the least wait after an attempt that did not count.
const uncountedWait = time.Second

// mayWait reports whether a message may wait for its destination without an attempt
// that counts: it has no other target, and is not too old.
func (m *Manager) mayWait(leased *queue.Leased, now time.Time) bool {
	if attempted(&leased.Message) > 1 {
		return false
	}
	policy := m.retryPolicy(leased)
	return policy.MaxAge == 0 || now.Sub(laterOf(leased.QueuedAt, leased.NotBefore)) < policy.MaxAge
}

func clampRetryAfter(d time.Duration) time.Duration { return min(max(d, 0), maxRetryAfter) }

// retryPolicy is the message's own, or its profile's, or the manager's.
func (m *Manager) retryPolicy(leased *queue.Leased) RetryPolicy {
	return m.policyOf(leased.Retry, leased.Lane.Profile)
}

// policyOf is the policy with that text; empty: the profile's, or the manager's.
func (m *Manager) policyOf(text, tenantID string) RetryPolicy {
	if text == "" {
		if tenant, err := m.options.Profiles.Lookup(m.base, tenantID); err == nil {
			text = tenant.Retry()
		}
	}
	if text == "" {
		return m.options.Retry
	}
	policy, err := ParseRetryPolicy(text)
	if err != nil {
		m.log.Error("cannot read the retry policy: the default applies", zap.String("profile", tenantID), zap.Error(err))
		return m.options.Retry
	}
	return policy
}

// holdLane pauses a destination that asked to be left alone, or that is gone.
func (m *Manager) holdLane(key queue.Lane, facts *DeliveryError, now time.Time) {
	switch retryAfter := clampRetryAfter(facts.RetryAfter); {
	case facts.Gone:
		m.release(m.sched.hold(key, queue.Forever, reasonGone))
	case retryAfter > 0:
		m.release(m.sched.hold(key, now.Add(retryAfter), askedForPause))
	}
}

// faultAt is why an outcome was not recorded; nil: it was.
func faultAt(i int, faults []error, err error) error {
	if err == nil && faults != nil {
		return faults[i]
	}
	return err
}

// recorded tells of the outcomes that were recorded, and leaves the others to the end
// of their leases. Their moves have been counted: where there was none, that is undone.
func (m *Manager) recorded(leases []lease, outcomes []queue.Outcome, faults []error, err error) {
	for i, leased := range leases {
		outcome := &outcomes[i]
		fault := faultAt(i, faults, err)
		if fault != nil || outcome.Result != "" {
			m.countMove(leased, outcome, true)
		}
		if fault == nil {
			m.settled(leased.Leased, outcome)
		}
		if outcome.Verdict == queue.VerdictDelivered {
			m.load.taken(leased.Lane, -1) // it is recorded, or will be attempted again
		}
		if fault == nil {
			continue
		}
		m.log.Error("cannot record an outcome: the message will be attempted again when its lease has run out",
			zap.Stringer("message_id", leased.ID), zap.Error(fault))
		m.sched.notify(leased.Lane, m.leaseEnd())
	}
	m.sched.leave(leases)
}

// countMove counts a message in the lane its outcome takes it to, or back.
func (m *Manager) countMove(leased lease, outcome *queue.Outcome, back bool) {
	if outcome.Verdict != queue.VerdictRetry {
		return
	}
	unsettled := *outcome
	unsettled.Result = ""
	switch target := moved(leased.Leased, &unsettled); {
	case target == nil:
	case back:
		m.load.move(target.Lane, leased.Lane, leased.Size())
	default:
		m.load.move(leased.Lane, target.Lane, leased.Size())
	}
}

// settled tells of a recorded outcome, and has the message attempted again where
// it has not ended.
func (m *Manager) settled(leased *queue.Leased, outcome *queue.Outcome) {
	m.announceQueued(leased.ID) // what was leased ahead can end without an attempt
	m.tellOutcome(leased, outcome)
	lane, target := leased.Lane, moved(leased, outcome)
	switch {
	case target != nil:
		m.sched.notify(target.Lane, outcome.At)
	case outcome.Result == "":
		m.sched.notify(lane, outcome.At)
	default:
		m.done(lane, leased.Size())
		if outcome.Result == queue.Cancelled { // it may have been the last that waited for a destination that is away
			m.sched.recheck(lane)
		}
	}
	if outcome.Result == "" {
		m.expiresAt(leased.ExpiresAt) // while it was leased, the clock may have learnt a later time
	}
	if outcome.Result != "" || outcome.Skip || target != nil {
		m.passTurn(&leased.Message, lane)
	}
}

// leaseTime is how long a lease lives.
func (m *Manager) leaseTime() time.Duration { return m.options.AttemptTimeout + leaseMargin }

// leaseEnd is when a lease that is taken now has run out.
func (m *Manager) leaseEnd() time.Time { return time.Now().Add(m.leaseTime()) }

// done counts a message that has ended, and has the clock purge when they are many
// or large.
func (m *Manager) done(lane queue.Lane, bytes int64) {
	m.load.remove(lane, bytes)
	n, size := m.unpurged.Add(1), m.unpurgedBytes.Add(bytes)
	if n == purgeAfter || size >= purgeAfterBytes && size-bytes < purgeAfterBytes {
		m.sched.kickClock()
	}
}

// tellOutcome publishes what became of a leased message.
func (m *Manager) tellOutcome(leased *queue.Leased, outcome *queue.Outcome) {
	if !m.events.Listened() {
		return
	}
	e := MessageEvent{
		ID: leased.ID, Profile: leased.Lane.Profile, Endpoint: leased.Endpoint, Attempt: leased.Attempt, Status: Status(outcome.Status),
	}
	if log := outcome.Attempt; log != nil {
		e.Evidence, e.Class, e.Code, e.Error = log.Evidence, log.Class, log.Code, log.Error
		if log.Class != transport.Success {
			m.tell(TopicAttemptFailed, &e)
		}
	}
	switch outcome.Result {
	case queue.Delivered:
		finished := outcome.Attempt.StartedAt.Add(outcome.Attempt.Duration)
		e.LatencyMS = float64(finished.Sub(leased.QueuedAt)) / float64(time.Millisecond)
		m.tell(TopicDelivered, &e)
		if e.Status != "" {
			m.tell(e.Status.Topic(), &e)
		}
	case "":
		if outcome.Verdict != queue.VerdictRetry {
			break
		}
		e.NextAt = outcome.At
		if target := moved(leased, outcome); target != nil {
			e.NextEndpoint = target.Endpoint
			m.tell(TopicFailedOver, &e)
			if isPickup(target.Lane) {
				e.Status = StatusWaitingForPickup
				m.tell(e.Status.Topic(), &e)
			}
			break
		}
		m.tell(TopicRetrying, &e)
	default:
		m.tellEnd(outcome.Result, &e)
	}
}

// tellEnd publishes that a message has ended undelivered.
func (m *Manager) tellEnd(result queue.Result, e *MessageEvent) {
	switch result {
	case queue.Dead:
		m.tell(TopicDead, e)
		m.tell(topicUndeliverable, e)
	case queue.Expired:
		m.tell(TopicExpired, e)
		m.tell(topicUndeliverable, e)
	case queue.Cancelled:
		m.tell(TopicCancelled, e)
	case queue.Delivered: // told where it is known with what evidence
	}
}

// release gives leased messages back unattempted. They are due again at once.
func (m *Manager) release(leases []lease) {
	if len(leases) == 0 {
		return
	}
	outcomes := make([]queue.Outcome, len(leases))
	for i, leased := range leases {
		outcomes[i] = released(leased.Leased)
	}
	faults, err := m.store.Settle(m.settling, outcomes)
	m.recorded(leases, outcomes, faults, err)
}

// released is the outcome of a message that is to be attempted as though it had
// not been leased.
func released(leased *queue.Leased) queue.Outcome {
	return queue.Outcome{LeaseRef: leased.Ref(), Verdict: queue.VerdictRelease, Target: leased.Target}
}

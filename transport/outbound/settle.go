package outbound

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// maxRetryAfter is the longest pause a destination is granted.
const maxRetryAfter = day

// judge turns an attempt's error into what becomes of the message: an attempt
// that the hard stop cut short does not count; a permanent error, or one too many,
// makes the message dead; everything else is tried again.
func (m *Manager) judge(leased *queue.Leased, err error, outcome *queue.Outcome) {
	facts := classify(err)
	log := outcome.Attempt
	log.Class, log.Code, log.Response = facts.Class, facts.Code, facts.Response
	log.Error = err.Error()
	if facts.MaybeSent {
		log.Evidence = max(log.Evidence, transport.Written)
	}
	if panicked := (*panicError)(nil); errors.As(err, &panicked) {
		m.log.Error("an attempt panicked", zap.Stringer("message_id", leased.ID), zap.ByteString("stack", panicked.stack))
	}
	if m.base.Err() != nil && facts.Class != transport.Permanent {
		*outcome = queue.Outcome{LeaseRef: outcome.LeaseRef, Verdict: queue.VerdictRelease}
		return
	}
	finished := log.StartedAt.Add(log.Duration)
	m.holdLane(leased.Lane, &facts, finished)
	if facts.Class != transport.Permanent {
		if at, again := m.nextAttempt(leased, facts.RetryAfter, finished); again {
			outcome.Verdict, outcome.At, outcome.Skip = queue.VerdictRetry, at, leased.SkipBlocked
			return
		}
	}
	outcome.Verdict, outcome.Status = queue.VerdictDead, string(StatusUndeliverable)
}

// nextAttempt asks the message's policy, or its profile's, or the manager's, in
// this order. A destination's Retry-After can put the attempt off, never hasten
// it; past the policy's age there is none.
func (m *Manager) nextAttempt(leased *queue.Leased, retryAfter time.Duration, now time.Time) (time.Time, bool) {
	policy := m.retryPolicy(leased)
	age := now.Sub(laterOf(leased.QueuedAt, leased.NotBefore))
	wait, again := policy.Next(leased.Attempt, age)
	wait = max(wait, clampRetryAfter(retryAfter))
	if !again || policy.MaxAge > 0 && wait > policy.MaxAge-age {
		return time.Time{}, false
	}
	return now.Add(wait), true
}

func clampRetryAfter(d time.Duration) time.Duration { return min(max(d, 0), maxRetryAfter) }

func (m *Manager) retryPolicy(leased *queue.Leased) RetryPolicy {
	text := leased.Retry
	if text == "" {
		if tenant, err := m.options.Profiles.Lookup(m.base, leased.Lane.Profile); err == nil {
			text = tenant.Retry()
		}
	}
	if text == "" {
		return m.options.Retry
	}
	policy, err := ParseRetryPolicy(text)
	if err != nil {
		m.log.Error("cannot read the retry policy: the default applies", zap.String("profile", leased.Lane.Profile), zap.Error(err))
		return m.options.Retry
	}
	return policy
}

// holdLane pauses a destination that asked to be left alone, or that is gone.
func (m *Manager) holdLane(key queue.Lane, facts *DeliveryError, now time.Time) {
	switch retryAfter := clampRetryAfter(facts.RetryAfter); {
	case facts.Gone:
		m.pause(queue.LaneState{Lane: key, PausedUntil: queue.Forever, Reason: "the destination says that it is gone"})
	case retryAfter > 0:
		m.pause(queue.LaneState{Lane: key, PausedUntil: now.Add(retryAfter), Reason: "the destination asked for a pause"})
	}
}

// settle records what becomes of leased messages, and tells of it.
func (m *Manager) settle(leased []queue.Leased, outcomes []queue.Outcome) {
	faults, err := m.store.Settle(m.settling, outcomes)
	for i := range outcomes {
		fault := err
		if fault == nil && faults != nil {
			fault = faults[i]
		}
		if fault == nil {
			m.settled(&leased[i], &outcomes[i])
			continue
		}
		m.log.Error("cannot record an outcome: the message will be attempted again when its lease has run out",
			zap.Stringer("message_id", leased[i].ID), zap.Error(fault))
		m.sched.notify(leased[i].Lane, m.leaseEnd())
	}
}

// settled tells of a recorded outcome, and has the message attempted again where
// it has not ended.
func (m *Manager) settled(leased *queue.Leased, outcome *queue.Outcome) {
	m.announceQueued(leased.ID) // what was leased ahead can end without an attempt
	m.tellOutcome(leased, outcome)
	if outcome.Result == "" {
		m.sched.notify(leased.Lane, outcome.At)
	} else {
		m.done(1, leased.Size())
	}
	if outcome.Result != "" || outcome.Skip {
		m.passTurn(&leased.Message, leased.Lane)
	}
}

// leaseEnd is when a lease that is taken now has run out.
func (m *Manager) leaseEnd() time.Time { return time.Now().Add(m.options.AttemptTimeout + leaseMargin) }

// done counts messages that have ended, and has the clock purge when they are many
// or large.
func (m *Manager) done(messages, bytes int64) {
	m.load.remove(messages, bytes)
	n, size := m.unpurged.Add(messages), m.unpurgedBytes.Add(bytes)
	if n >= purgeAfter && n-messages < purgeAfter || size >= purgeAfterBytes && size-bytes < purgeAfterBytes {
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
		if outcome.Verdict == queue.VerdictRetry {
			e.NextAt = outcome.At
			m.tell(TopicRetrying, &e)
		}
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
func (m *Manager) release(leased []queue.Leased) {
	if len(leased) == 0 {
		return
	}
	outcomes := make([]queue.Outcome, len(leased))
	for i := range leased {
		outcomes[i] = queue.Outcome{LeaseRef: leased[i].Ref(), Verdict: queue.VerdictRelease}
	}
	m.settle(leased, outcomes)
}

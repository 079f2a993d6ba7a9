package outbound

import (
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// maxAlternates is how many alternates a message may have.
const maxAlternates = 8

// next says when a message is attempted again after an attempt has failed, and at
// which of its targets; false: never.
func (m *Manager) next(leased *queue.Leased, facts *DeliveryError, now time.Time) (at time.Time, target int, again bool) {
	policy := m.retryPolicy(leased)
	f := failure{
		target: leased.Target, targets: attempted(&leased.Message), attempt: leased.Attempt,
		age:   now.Sub(laterOf(leased.QueuedAt, leased.NotBefore)),
		class: facts.Class, gone: facts.Gone, retryAfter: clampRetryAfter(facts.RetryAfter),
	}
	if isPickup(leased.Lane) {
		f.past = m.past(leased)
		return now, leased.Target, f.class != transport.Permanent && historyOf(&f).tries < maxPickupAttempts
	}
	if f.targets > 1 {
		f.past, f.down = m.past(leased), m.downTargets(&leased.Message)
		f.gone = f.gone || isPeer(leased.Lane) // a session is worth one attempt
	}
	if f.targets == 1 && isPeer(leased.Lane) { // the same, where the next one is the last
		if at, target, again := m.exhausted(leased, now); again {
			return at, target, true
		}
	}
	wait, target, again := policy.after(&f)
	if !again {
		return m.exhausted(leased, now)
	}
	return now.Add(wait), target, true
}

// passOver puts a message that is new at the first of its targets that is not known to
// be down, and where all are, at the first. One with an ordering key begins at the
// first: it would overtake those that wait there.
func (m *Manager) passOver(message *queue.Message) {
	if message.OrderingKey != "" {
		return
	}
	for i := range attempted(message) {
		if !m.sched.down(message.Targets[i].Lane) {
			message.Retarget(i)
			return
		}
	}
}

// downTargets reports which targets of a message are known to be down.
func (m *Manager) downTargets(message *queue.Message) (down [maxTargets]bool) {
	for i := range min(len(message.Targets), maxTargets) {
		down[i] = m.sched.down(message.Targets[i].Lane)
	}
	return down
}

// attempted is how many targets a message is attempted at: all but the one at
// which it waits when these have failed.
func attempted(message *queue.Message) int {
	if pickupTarget(message) > 0 {
		return len(message.Targets) - 1
	}
	return len(message.Targets)
}

// past reads the log of the attempts that were made since the message was queued.
// Where it cannot be read, the message is judged as though this attempt was the
// first, which at worst repeats some.
func (m *Manager) past(leased *queue.Leased) []queue.Attempt {
	made := leased.Attempt - 1
	if made == 0 {
		return nil
	}
	log, err := m.store.Attempts(m.settling, leased.ID)
	if err != nil {
		m.log.Error("cannot read the attempts of a message", zap.Stringer("message_id", leased.ID), zap.Error(err))
		return nil
	}
	for len(log) > 0 && log[0].N <= log[len(log)-1].N-made {
		log = log[1:]
	}
	return log
}

// failure is an attempt that failed, with what its message's policy goes by.
type failure struct {
	target, targets int // which of how many; a message without targets has none
	attempt         int // its number
	age             time.Duration
	class           transport.Class
	gone            bool
	retryAfter      time.Duration
	past            []queue.Attempt // those before it, as far as the log has them
	down            [maxTargets]bool
}

// after says how long to wait after a failed attempt, and which target is next;
// false: the policy gives up.
//
// A target that failed for good, or is gone, or has had its tries in a row, is
// followed by the next one that has not failed for good and is not known to be down,
// at once; where there is none, by the next that has not failed for good. After the last
// one the round starts again with the first, when the schedule says so: going on
// to the next target takes an attempt, but no step of the schedule.
func (p *RetryPolicy) after(f *failure) (wait time.Duration, target int, again bool) {
	if f.targets <= 1 {
		if f.class == transport.Permanent {
			return 0, f.target, false
		}
		wait, again = p.next(f.attempt, f.attempt, f.age, f.retryAfter)
		return wait, f.target, again
	}
	h := historyOf(f)
	target = f.target
	if f.class == transport.Permanent || f.gone || h.tries >= p.triesPerTarget() {
		if target, again = h.nextTarget(f); !again {
			return 0, f.target, false
		}
	}
	switch {
	case target > f.target:
		return 0, target, p.allows(f.attempt, f.age, 0)
	case target < f.target:
		f.retryAfter = 0 // said by another
	}
	wait, again = p.next(f.attempt, h.steps+1, f.age, f.retryAfter)
	return wait, target, again
}

// history is what the attempts since a message was queued say of its targets.
type history struct {
	failed [maxTargets]bool // for good
	tries  int              // in a row at the target of the latest attempt
	steps  int              // of the schedule that were waited for
}

func historyOf(f *failure) (h history) {
	last := -1
	visit := func(target int, class transport.Class) {
		if target < 0 || target >= len(h.failed) {
			return // kept by somebody who allows more
		}
		h.failed[target] = class == transport.Permanent
		if last >= target {
			h.steps++
		}
		if last == target {
			h.tries++
		} else {
			h.tries = 1
		}
		last = target
	}
	for i := range f.past {
		visit(f.past[i].Target, f.past[i].Class)
	}
	visit(f.target, f.class)
	return h
}

// nextTarget returns the target that comes after the failed one, round and round,
// without those that failed for good and, if there are others, those that are down;
// false: there is none.
func (h *history) nextTarget(f *failure) (next int, ok bool) {
	for i := 1; i <= f.targets; i++ {
		target := (f.target + i) % f.targets
		switch {
		case target >= len(h.failed):
			return target, true
		case h.failed[target]:
		case !f.down[target]:
			return target, true
		case !ok:
			next, ok = target, true
		}
	}
	return next, ok
}

// moved returns the target that an outcome has moved a message to; nil: it has not
// moved.
func moved(leased *queue.Leased, outcome *queue.Outcome) *queue.Target {
	if outcome.Verdict != queue.VerdictRetry || outcome.Result != "" || outcome.Target == leased.Target ||
		outcome.Target >= len(leased.Targets) {
		return nil
	}
	return &leased.Targets[outcome.Target]
}

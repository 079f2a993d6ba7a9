package outbound

import (
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/queue"
)

const (
	purgeAfter      = 1000      // done messages
	purgeAfterBytes = 64 << 20  // of done messages
	purgeEvery      = time.Hour // where less is done
	sweepBatch      = 1000      // records expired or purged at once
)

// runClock wakes lanes when they are due, expires messages, and removes what is
// no longer kept. It sleeps until the earliest of these; nothing is polled but
// the age of done messages, each hour.
func (m *Manager) runClock() {
	defer close(m.clockDone)
	timer := time.NewTimer(0)
	defer timer.Stop()
	nextPurge, purging := time.Now().Add(purgeEvery), false
	for {
		now := time.Now()
		next, news := m.sched.wakeDue(now)
		if news {
			m.tellLanes()
		}
		next = earlier(next, m.expire(now))
		if purging || m.unpurged.Load() >= purgeAfter || m.unpurgedBytes.Load() >= purgeAfterBytes || !now.Before(nextPurge) {
			m.unpurged.Store(0)
			m.unpurgedBytes.Store(0)
			purging = m.purge(now)
			m.tellLanes() // what could not be recorded
			nextPurge = now.Add(purgeEvery)
		}
		if purging { // a part at a time: lanes that are due must not wait for all of it
			next = now
		}
		timer.Reset(time.Until(earlier(next, nextPurge)))
		select {
		case <-timer.C:
		case <-m.sched.kick:
		case <-m.store.Wake():
			if err := m.scan(m.base); err != nil && m.base.Err() == nil {
				m.log.Error("cannot look for work", zap.Error(err))
			}
		case <-m.stopClock:
			return
		}
	}
}

// expiresAt has the clock look for expired messages at an instant; zero is never.
func (m *Manager) expiresAt(at time.Time) {
	if at.IsZero() {
		return
	}
	for {
		known := m.nextExpiry.Load()
		if known != 0 && known <= at.UnixNano() {
			return
		}
		if m.nextExpiry.CompareAndSwap(known, at.UnixNano()) {
			m.sched.kickClock()
			return
		}
	}
}

// expire ends the messages that have expired, and those that were cancelled while
// they were leased and whose lease ran out. It returns when to look again.
func (m *Manager) expire(now time.Time) time.Time {
	if at := m.expiryDue(); at.IsZero() || now.Before(at) {
		return at
	}
	m.nextExpiry.Store(0) // before the store is asked: a Send meanwhile sets it again
	records, next, err := m.store.Expire(m.settling, sweepBatch)
	if err != nil {
		m.log.Error("cannot expire messages", zap.Error(err))
		records, next = nil, now.Add(time.Minute)
	}
	m.expiresAt(next)
	for i := range records {
		m.announceQueued(records[i].ID)
		e := eventOf(&records[i])
		m.tellEnd(records[i].Result, &e)
		m.done(records[i].Lane, records[i].Bytes)
		if records[i].Result == queue.Dead { // it cannot be read: nor can its ordering key
			m.sched.notify(records[i].Lane, time.Time{})
			continue
		}
		m.passTurn(&records[i].Message, records[i].Lane)
		m.sched.recheck(records[i].Lane)
	}
	return m.expiryDue()
}

// expiryDue is when the clock is to look for expired messages; zero is never.
func (m *Manager) expiryDue() time.Time {
	if known := m.nextExpiry.Load(); known != 0 {
		return time.Unix(0, known)
	}
	return time.Time{}
}

// purge removes some of the done messages that are no longer to be kept, and says
// whether there are more.
func (m *Manager) purge(now time.Time) (again bool) {
	for result, retain := range m.options.Retain {
		retention := queue.Retention{Result: result, Keep: retain.Count, Bytes: retain.Bytes}
		if retain.Age > 0 {
			retention.Before = now.Add(-retain.Age)
		}
		_, more, err := m.store.Purge(m.base, retention, sweepBatch)
		if err != nil {
			m.log.Error("cannot remove old messages", zap.String("result", string(result)), zap.Error(err))
		}
		again = again || more && err == nil && !m.stopping.Load()
	}
	return again
}

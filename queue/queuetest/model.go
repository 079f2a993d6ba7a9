package queuetest

import (
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// model is a store as one would write it to be right and nothing else. It looks
// at every record for everything, and leaves to the store under test what the
// contract leaves open: tokens, and the order of equals.
type model struct {
	records []*modelRecord // in the order of their ids
	keyed   []*modelRecord // that have an idempotency key, removed ones included, in the order in which they were enqueued
	now     time.Time      // of the call
	slack   time.Duration  // within which times are equal
	keys    time.Duration  // how long keys are known; 0: for ever
	rows    map[queue.Lane]*rows
}

func newModel(features Features) model {
	m := model{slack: precision, keys: features.KeyLifetime, rows: map[queue.Lane]*rows{}}
	for _, lane := range lanes() {
		m.rows[lane] = &rows{}
	}
	if features.RealTime > 0 {
		m.slack = time.Second
	}
	return m
}

// modelRecord is a record and what a reader of the store does not see.
type modelRecord struct {
	queue.Record
	due    time.Time // when it can be leased
	until  time.Time // when its lease runs out; zero: it is not leased
	token  uint64
	lapsed bool // its lease ran out
	parked bool
	marked bool // cancelled while leased
	log    []queue.Attempt

	turn    bool      // has the turn in its ordering key
	turnAt  time.Time // when it got it
	skipped bool      // gave it up, and was not leased since
}

func (r *modelRecord) done() bool { return r.Result != "" }

func (m *model) expired(r *modelRecord) bool {
	return !r.done() && r.until.IsZero() && !r.ExpiresAt.IsZero() && !r.ExpiresAt.After(m.now)
}

// over reports whether Expire ends the record.
func (m *model) over(r *modelRecord) bool {
	return m.expired(r) || r.marked && r.until.IsZero()
}

func (m *model) find(match func(*modelRecord) bool) *modelRecord {
	if i := slices.IndexFunc(m.records, match); i >= 0 {
		return m.records[i]
	}
	return nil
}

func (m *model) get(id transport.ID) *modelRecord {
	return m.find(func(r *modelRecord) bool { return r.ID == id })
}

// lapse ends the leases that have run out.
func (m *model) lapse() {
	for _, r := range m.records {
		if r.until.IsZero() || r.until.After(m.now) {
			continue
		}
		m.wait(r, r.until)
		r.lapsed = true
	}
	m.back()
}

// wait makes a record leasable from an instant.
func (m *model) wait(r *modelRecord, due time.Time) {
	r.until, r.lapsed, r.due = time.Time{}, false, due
	r.State = queue.StatePending
	if r.Attempts > 0 && !r.parked {
		r.State = queue.StateRetry
	}
}

func (m *model) end(r *modelRecord, result queue.Result) {
	r.State, r.Result, r.UpdatedAt = queue.StateDone, result, m.now
	r.until, r.marked, r.parked, r.lapsed = time.Time{}, false, false, false
	r.leave()
	m.pass()
}

func (m *model) enqueue(message queue.Message) queue.Enqueued {
	known := m.knownBy(&message)
	if known == nil {
		known = m.get(message.ID)
	}
	if known != nil {
		return queue.Enqueued{ID: known.ID, Duplicate: true, Status: known.Status}
	}
	r := &modelRecord{Record: queue.Record{
		Message: message, Status: queue.StatusQueued, Bytes: message.Size(),
		CreatedAt: m.now, QueuedAt: m.now, UpdatedAt: m.now,
	}}
	m.wait(r, m.notBefore(message.NotBefore))
	m.records = append(m.records, r)
	if r.IdempotencyKey != "" {
		m.keyed = append(m.keyed, r)
	}
	slices.SortFunc(m.records, func(a, b *modelRecord) int { return compareIDs(a.ID, b.ID) })
	m.pass()
	return queue.Enqueued{ID: r.ID, Status: r.Status}
}

// knownBy returns the record whose idempotency key the message has, as long as the
// key is known.
func (m *model) knownBy(message *queue.Message) *modelRecord {
	for _, r := range m.keyed {
		if r.IdempotencyKey == message.IdempotencyKey && r.Lane.Profile == message.Lane.Profile && (m.keys == 0 || m.now.Sub(r.CreatedAt) < m.keys) {
			return r
		}
	}
	return nil
}

// notBefore returns the later of now and t.
func (m *model) notBefore(t time.Time) time.Time {
	if t.After(m.now) {
		return t
	}
	return m.now
}

// leasable returns the records of a lane that can be leased now.
func (m *model) leasable(lane queue.Lane) []*modelRecord {
	var all []*modelRecord
	for _, r := range m.records {
		waits := r.done() || r.parked || m.over(r) || m.waits(r) || r.due.After(m.now)
		if r.Lane == lane && r.until.IsZero() && !waits {
			all = append(all, r)
		}
	}
	return all
}

func (m *model) lease(r *modelRecord, token uint64, ttl time.Duration) {
	r.State, r.UpdatedAt, r.token = queue.StateDeliver, m.now, token
	r.until, r.lapsed, r.skipped = m.now.Add(ttl), false, false
}

func (m *model) held(ref queue.LeaseRef) *modelRecord {
	return m.find(func(r *modelRecord) bool { return r.ID == ref.ID && r.token == ref.Token && !r.until.IsZero() })
}

func (m *model) settle(r *modelRecord, o queue.Outcome) {
	if o.Attempt != nil {
		entry := *o.Attempt
		entry.N = len(r.log) + 1
		r.log = append(r.log, entry)
		r.LastError, r.Evidence = entry.Error, max(r.Evidence, entry.Evidence)
	}
	if o.Verdict != queue.VerdictRelease {
		r.Attempts++
	}
	result := map[queue.Verdict]queue.Result{
		queue.VerdictDelivered: queue.Delivered, queue.VerdictDead: queue.Dead, queue.VerdictExpired: queue.Expired,
	}[o.Verdict]
	if result == "" && r.marked {
		m.end(r, queue.Cancelled)
		return
	}
	if o.Status != "" {
		r.Status = o.Status
	}
	if result != "" {
		m.end(r, result)
		return
	}
	r.UpdatedAt = m.now
	lane := r.Lane
	if r.parked = o.Verdict == queue.VerdictPark; !r.parked {
		r.Retarget(o.Target)
	}
	skip := o.Skip && o.Verdict == queue.VerdictRetry
	if r.parked || skip || r.Lane != lane {
		r.leave()
	}
	r.skipped = skip
	m.wait(r, m.notBefore(o.At))
	m.pass()
}

func (m *model) cancel(r *modelRecord) {
	switch {
	case r.marked:
	case r.until.IsZero():
		m.end(r, queue.Cancelled)
	default:
		r.marked, r.UpdatedAt = true, m.now
	}
}

// expire does what Expire does to a record that is over.
func (m *model) expire(r *modelRecord) {
	if r.marked {
		m.end(r, queue.Cancelled)
		return
	}
	r.Status = queue.StatusUndeliverable
	m.end(r, queue.Expired)
}

func (m *model) replay(r *modelRecord) {
	r.Result, r.Attempts, r.Status = "", 0, queue.StatusQueued
	r.Replays++
	r.QueuedAt, r.UpdatedAt = m.now, m.now
	if !r.ExpiresAt.After(m.now) {
		r.ExpiresAt = time.Time{}
	}
	m.wait(r, m.notBefore(r.NotBefore))
	m.pass()
}

// page returns the records that a query selects, of those that are eligible, and
// the id to go on from.
func (m *model) page(q queue.Query, eligible func(*modelRecord) bool) (page []*modelRecord, next transport.ID) {
	all := slices.Clone(m.records)
	if q.Descending {
		slices.Reverse(all)
	}
	for _, r := range all {
		behind := compareIDs(r.ID, q.After) > 0
		if q.Descending {
			behind = compareIDs(r.ID, q.After) < 0
		}
		if !q.After.IsZero() && !behind || !selects(&q, &r.Record) || !eligible(r) {
			continue
		}
		if len(page) == q.PageLimit() {
			return page, page[len(page)-1].ID
		}
		page = append(page, r)
	}
	return page, transport.ID{}
}

func selects(q *queue.Query, r *queue.Record) bool {
	return (len(q.IDs) == 0 || slices.Contains(q.IDs, r.ID)) &&
		(q.Profile == "" || q.Profile == r.Lane.Profile) &&
		(q.Destination == "" || q.Destination == r.Lane.Destination) &&
		(q.Endpoint == "" || q.Endpoint == r.Endpoint) &&
		(len(q.States) == 0 || slices.Contains(q.States, r.State)) &&
		(len(q.Results) == 0 || slices.Contains(q.Results, r.Result))
}

// due returns when each lane has work.
func (m *model) due() map[queue.Lane]time.Time {
	lanes := map[queue.Lane]time.Time{}
	for _, r := range m.records {
		at := r.due
		if !r.until.IsZero() {
			at = r.until
		}
		if r.done() || r.parked && r.until.IsZero() || m.over(r) || m.waits(r) {
			continue
		}
		if first, ok := lanes[r.Lane]; !ok || at.Before(first) {
			lanes[r.Lane] = at
		}
	}
	return lanes
}

// nextExpiry returns what Expire must name.
func (m *model) nextExpiry() time.Time {
	var next time.Time
	for _, r := range m.records {
		at := r.ExpiresAt
		if r.done() || at.IsZero() && !r.marked {
			continue
		}
		if r.until.After(at) || r.marked {
			at = r.until
		}
		if m.over(r) {
			at = m.now
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

func (m *model) stats() map[queue.Lane]queue.Backlog {
	groups := map[queue.Lane]queue.Backlog{}
	for _, r := range m.records {
		b := groups[r.Lane]
		b.Lane = r.Lane
		counter := map[queue.Result]*int64{
			queue.Delivered: &b.Delivered, queue.Dead: &b.Dead, queue.Cancelled: &b.Cancelled, queue.Expired: &b.Expired,
		}[r.Result]
		if !r.done() {
			counter = map[queue.State]*int64{
				queue.StatePending: &b.Pending, queue.StateDeliver: &b.Deliver, queue.StateRetry: &b.Retry,
			}[r.State]
			b.Bytes += r.Bytes
			if b.Oldest.IsZero() || r.QueuedAt.Before(b.Oldest) {
				b.Oldest = r.QueuedAt
			}
		}
		*counter++
		groups[r.Lane] = b
	}
	return groups
}

package queuetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// checkModel plays random calls against the store and the model, and compares
// all there is to see after each.
func checkModel(t *testing.T, open Open, features Features) {
	t.Helper()
	play := func(rt *rapid.T) {
		m := &machine{store: open(t), real: features.RealTime > 0, model: newModel(features)}
		ctx := rt.Context()
		rt.Cleanup(func() {
			if err := m.store.Close(context.WithoutCancel(ctx)); err != nil {
				rt.Errorf("close: %v", err)
			}
		})
		actions := map[string]func(*rapid.T){
			"enqueue": m.enqueue, "lease": m.lease, "lease more": m.lease, "settle": m.settle, "settle more": m.settle,
			"extend": m.extend, "list": m.list, "cancel": m.cancel, "replay": m.replay, "expire": m.expire,
			"purge": m.purge, "": m.compare,
		}
		if !m.real {
			actions["advance"] = m.advance
		}
		rt.Repeat(actions)
	}
	rapid.Check(t, func(rt *rapid.T) {
		if features.RealTime > 0 {
			play(rt)
		} else {
			rapid.SyncTest(rt, play)
		}
	})
}

// machine is a store under test beside its model.
type machine struct {
	store  queue.Store
	model  model
	real   bool
	leases []queue.LeaseRef // all there ever were
}

// begin brings the model up to now.
func (m *machine) begin() {
	m.model.now = time.Now()
	m.model.lapse()
}

func lanes() []queue.Lane { return []queue.Lane{laneA(), laneB(), otherLane()} }

// span draws one of some times, those that pass in a run or one that does not.
func (m *machine) span(t *rapid.T, what string, spans ...time.Duration) time.Duration {
	if m.real {
		return time.Hour
	}
	return rapid.SampledFrom(spans).Draw(t, what)
}

// instant draws a time: mostly none, or one to come, or one that has passed.
func (m *machine) instant(t *rapid.T, what string) time.Time {
	switch rapid.IntRange(0, 5).Draw(t, what+" kind") {
	case 0, 1:
		return m.model.now.Add(m.span(t, what, time.Minute, 5*time.Minute, time.Hour))
	case 2:
		return m.model.now.Add(-time.Minute)
	default:
		return time.Time{}
	}
}

func (m *machine) enqueue(t *rapid.T) {
	m.begin()
	n := rapid.IntRange(1, 4).Draw(t, "messages")
	if rapid.IntRange(0, 9).Draw(t, "many") == 0 {
		n = 15
	}
	batch := make([]queue.Message, n)
	for i := range batch {
		batch[i] = m.message(t)
	}
	results, err := m.store.Enqueue(t.Context(), slices.Clone(batch))
	if err != nil || len(results) != len(batch) {
		t.Fatalf("enqueue: %v, %v", results, err)
	}
	for i, message := range batch {
		if want := m.model.enqueue(message); results[i] != want {
			t.Fatalf("enqueue %d gave %+v, want %+v", i, results[i], want)
		}
	}
}

func (m *machine) message(t *rapid.T) queue.Message {
	message := newMessage(m.store, rapid.SampledFrom(lanes()).Draw(t, "lane"))
	if len(m.model.records) > 0 && rapid.IntRange(0, 9).Draw(t, "known id") == 0 {
		message.ID = rapid.SampledFrom(m.model.records).Draw(t, "record").ID
	}
	message.Payload = make([]byte, rapid.IntRange(0, 9).Draw(t, "size"))
	message.IdempotencyKey = rapid.SampledFrom([]string{"", "", "", "k", "l", "m"}).Draw(t, "key")
	message.NotBefore = m.instant(t, "not before")
	message.ExpiresAt = m.instant(t, "expires at")
	message.Priority = rapid.SampledFrom([]queue.Priority{0, queue.PriorityHigh, queue.PriorityLow}).Draw(t, "priority")
	message.OrderingKey = rapid.SampledFrom([]string{"", "", "x", "y"}).Draw(t, "ordering key")
	if rapid.IntRange(0, 2).Draw(t, "with targets") == 0 {
		message.Targets = targetsFor(&message)
	}
	return message
}

// targetsFor returns the place a message goes to, another in the same lane, and
// one in another lane, if its profile has more than one.
func targetsFor(m *queue.Message) []queue.Target {
	targets := []queue.Target{targetOf(*m), {Lane: m.Lane, Endpoint: "another", URI: transport.NewSecret("another#key")}}
	for _, lane := range lanes() {
		if lane != m.Lane && lane.Profile == m.Lane.Profile {
			targets = append(targets, queue.Target{Lane: lane, Endpoint: "beyond"})
		}
	}
	return targets
}

func (m *machine) lease(t *rapid.T) {
	m.begin()
	request := queue.LeaseRequest{TTL: m.span(t, "ttl", time.Minute, 10*time.Minute)}
	for range rapid.IntRange(1, 3).Draw(t, "budgets") {
		request.Budgets = append(request.Budgets, queue.Budget{
			Lane: rapid.SampledFrom(lanes()).Draw(t, "lane"), Max: rapid.SampledFrom([]int{0, 1, 2, 3, 4, 20}).Draw(t, "max"),
		})
	}
	leased, err := m.store.Lease(t.Context(), request, nil)
	if err != nil {
		t.Fatalf("lease: %v", err)
	}
	for i := range request.Budgets {
		budget := &request.Budgets[i]
		due := m.model.leasable(budget.Lane)
		n := min(budget.Max, len(due))
		if len(leased) < n {
			t.Fatalf("budget %d: %d messages are left, want %d", i, len(leased), n)
		}
		m.leased(t, leased[:n], due, request.TTL)
		leased = leased[n:]
		m.nextAt(t, "budget", budget.NextAt, m.model.due()[budget.Lane])
	}
	if len(leased) > 0 {
		t.Fatalf("%d messages too many, the first is %s", len(leased), leased[0].ID)
	}
}

// leased checks that what was leased from a lane was due, and first.
func (m *machine) leased(t *rapid.T, leased []queue.Leased, due []*modelRecord, ttl time.Duration) {
	for _, l := range leased {
		i := slices.IndexFunc(due, func(r *modelRecord) bool { return r.ID == l.ID })
		if i < 0 {
			t.Fatalf("leased %s, which is not to be leased now", l.ID)
		}
		r := due[i]
		due = slices.Delete(due, i, i+1)
		for _, other := range due {
			if other.Priority == r.Priority && m.model.before(other, r) {
				t.Fatalf("leased %s, and %s was due before it", l.ID, other.ID)
			}
		}
		if fault := m.model.rows[r.Lane].lease(r, due); fault != "" {
			t.Fatal(fault)
		}
		if l.Attempt != r.Attempts+1 || l.Replays != r.Replays || !near(l.QueuedAt, r.QueuedAt, m.model.slack) || l.Token == r.token {
			t.Fatalf("leased %+v, the record is %+v", l, r.Record)
		}
		if diff := diffMessages(&l.Message, &r.Message); diff != "" {
			t.Fatalf("leased: %s", diff)
		}
		m.model.lease(r, l.Token, ttl)
		m.leases = append(m.leases, l.Ref())
	}
}

// nextAt checks when a lane is said to have work.
func (m *machine) nextAt(t *rapid.T, what string, got, want time.Time) {
	overdue := !want.IsZero() && !want.After(m.model.now) && !got.IsZero() && !got.After(m.model.now.Add(m.model.slack))
	if !overdue && !near(got, want, m.model.slack) {
		t.Fatalf("%s: the next is due at %v, want %v", what, got, want)
	}
}

// some draws leases, mostly such as are alive.
func (m *machine) some(t *rapid.T) []queue.LeaseRef {
	if len(m.leases) == 0 {
		t.Skip("nothing was leased yet")
	}
	var alive []queue.LeaseRef
	for _, r := range m.model.records {
		if !r.until.IsZero() {
			alive = append(alive, queue.LeaseRef{ID: r.ID, Token: r.token})
		}
	}
	refs := make([]queue.LeaseRef, rapid.IntRange(1, 3).Draw(t, "leases"))
	for i := range refs {
		from := m.leases
		if len(alive) > 0 && rapid.IntRange(0, 3).Draw(t, "any") > 0 {
			from = alive
		}
		refs[i] = rapid.SampledFrom(from).Draw(t, "lease")
	}
	return refs
}

func (m *machine) settle(t *rapid.T) {
	m.begin()
	refs := m.some(t)
	outcomes := make([]queue.Outcome, len(refs))
	for i, ref := range refs {
		outcomes[i] = m.outcome(t, ref)
	}
	m.skipOne(t, outcomes)
	given := slices.Clone(outcomes)
	faults, err := m.store.Settle(t.Context(), outcomes)
	if err != nil {
		t.Fatalf("settle: %v", err)
	}
	for i := range given {
		r := m.model.held(refs[i])
		m.lost(t, faults, i, r == nil)
		if r == nil {
			continue
		}
		m.model.settle(r, given[i])
		if outcomes[i].Result != r.Result {
			t.Fatalf("settle %d: the result is %q, want %q", i, outcomes[i].Result, r.Result)
		}
	}
}

func (m *machine) outcome(t *rapid.T, ref queue.LeaseRef) queue.Outcome {
	o := queue.Outcome{
		LeaseRef: ref, At: m.instant(t, "at"),
		Verdict: rapid.SampledFrom([]queue.Verdict{
			queue.VerdictDelivered, queue.VerdictRetry, queue.VerdictRetry, queue.VerdictRetry, queue.VerdictDead,
			queue.VerdictExpired, queue.VerdictRelease, queue.VerdictPark,
		}).Draw(t, "verdict"),
		Target: rapid.IntRange(-1, 3).Draw(t, "target"),
		Status: rapid.SampledFrom([]string{"", "told"}).Draw(t, "status"),
	}
	if rapid.Bool().Draw(t, "logged") {
		o.Attempt = &queue.Attempt{
			StartedAt: m.model.now, Evidence: transport.Evidence(rapid.IntRange(0, 3).Draw(t, "evidence")),
			Error: rapid.SampledFrom([]string{"", "reset", "busy"}).Draw(t, "error"),
		}
	}
	return o
}

// skipOne has one of the outcomes give up its turn for some time, unless another
// stands aside: which of several comes back first is for the cases to check.
func (m *machine) skipOne(t *rapid.T, outcomes []queue.Outcome) {
	if slices.ContainsFunc(m.model.records, m.model.aside) {
		return
	}
	for i := range outcomes {
		o := &outcomes[i]
		r := m.model.held(o.LeaseRef)
		if r != nil && r.ordered() && r.ExpiresAt.IsZero() && rapid.Bool().Draw(t, "skip") {
			o.Verdict, o.Skip = queue.VerdictRetry, true
			o.At = m.model.now.Add(m.span(t, "aside", time.Minute, 5*time.Minute, time.Hour))
			return
		}
	}
}

// lost checks the error beside a lease.
func (m *machine) lost(t *rapid.T, faults []error, i int, want bool) {
	got := faults != nil && errors.Is(faults[i], queue.ErrLeaseLost)
	if got != want {
		t.Fatalf("lease %d: the errors are %v, lost: %v", i, faults, want)
	}
}

func (m *machine) extend(t *rapid.T) {
	m.begin()
	refs := m.some(t)
	ttl := m.span(t, "ttl", time.Minute, 10*time.Minute)
	faults, err := m.store.Extend(t.Context(), refs, ttl)
	if err != nil {
		t.Fatalf("extend: %v", err)
	}
	for i, ref := range refs {
		r := m.model.held(ref)
		m.lost(t, faults, i, r == nil)
		if r != nil {
			r.until = m.model.now.Add(ttl)
		}
	}
}

// query draws a query that selects some of the records.
func (m *machine) query(t *rapid.T) queue.Query {
	q := queue.Query{Limit: rapid.IntRange(1, 4).Draw(t, "limit"), Descending: rapid.Bool().Draw(t, "descending")}
	if rapid.Bool().Draw(t, "by profile") {
		q.Profile = "acme"
	}
	if rapid.Bool().Draw(t, "by destination") {
		q.Destination = rapid.SampledFrom(lanes()).Draw(t, "lane").Destination
	}
	switch rapid.IntRange(0, 3).Draw(t, "by state or result") {
	case 0:
		q.States = []queue.State{rapid.SampledFrom([]queue.State{
			queue.StatePending, queue.StateDeliver, queue.StateRetry, queue.StateDone,
		}).Draw(t, "state")}
	case 1:
		q.Results = []queue.Result{rapid.SampledFrom([]queue.Result{queue.Dead, queue.Cancelled, queue.Expired, ""}).Draw(t, "result")}
	}
	if n := len(m.model.records); n > 0 {
		if rapid.Bool().Draw(t, "behind one") {
			q.After = m.model.records[rapid.IntRange(0, n-1).Draw(t, "after")].ID
		}
		if rapid.Bool().Draw(t, "by id") {
			for range 4 {
				q.IDs = append(q.IDs, m.model.records[rapid.IntRange(0, n-1).Draw(t, "id")].ID)
			}
		}
	}
	return q
}

// page makes a call that answers a page, and does the same to the model.
func (m *machine) page(t *rapid.T, q queue.Query, call pageCall, eligible func(*modelRecord) bool, do func(*modelRecord)) {
	m.begin()
	want, next := m.model.page(q, eligible)
	page, err := call(t.Context(), q)
	if err != nil || len(page.Records) != len(want) || page.Next != next {
		t.Fatalf("%+v: %d records, the next page is behind %s, %v; want %d, %s", q, len(page.Records), page.Next, err, len(want), next)
	}
	for i, r := range want {
		do(r)
		m.record(t, &page.Records[i], r, false)
	}
}

func (m *machine) list(t *rapid.T) {
	m.page(t, m.query(t), m.store.List, func(*modelRecord) bool { return true }, func(*modelRecord) {})
}

func (m *machine) cancel(t *rapid.T) {
	m.page(t, m.query(t), m.store.Cancel, func(r *modelRecord) bool { return !r.done() }, m.model.cancel)
}

// replay goes by ascending ids: those of one ordering key join it in that order.
func (m *machine) replay(t *rapid.T) {
	q := m.query(t)
	q.Descending = false
	m.page(t, q, m.store.Replay, func(r *modelRecord) bool { return r.done() && r.Result != queue.Delivered }, m.model.replay)
}

func (m *machine) expire(t *rapid.T) {
	m.begin()
	over := 0
	for _, r := range m.model.records {
		if m.model.over(r) {
			over++
		}
	}
	limit := rapid.IntRange(1, 3).Draw(t, "limit")
	records, next, err := m.store.Expire(t.Context(), limit)
	if err != nil || len(records) != min(limit, over) {
		t.Fatalf("expire: %d records, %v, want %d", len(records), err, min(limit, over))
	}
	for i := range records {
		r := m.model.get(records[i].ID)
		if r == nil || !m.model.over(r) {
			t.Fatalf("%s was ended, and was not to be", records[i].ID)
		}
		m.model.expire(r)
		m.record(t, &records[i], r, false)
	}
	m.nextAt(t, "expire", next, m.model.nextExpiry())
}

// noRecordFits is less than the size of any of the machine's messages, and
// allRecordsFit more than that of all.
const noRecordFits, allRecordsFit = 1, 1 << 30

func (m *machine) purge(t *rapid.T) {
	m.begin()
	retention := queue.Retention{
		Result: rapid.SampledFrom([]queue.Result{queue.Delivered, queue.Dead, queue.Cancelled, queue.Expired}).Draw(t, "result"),
		Keep:   rapid.IntRange(0, 2).Draw(t, "keep"),
		Bytes:  rapid.SampledFrom([]int64{0, noRecordFits, allRecordsFit}).Draw(t, "bytes"),
	}
	if rapid.Bool().Draw(t, "by age") {
		retention.Before = m.model.now.Add(-m.span(t, "age", time.Second, 5*time.Minute))
	}
	var kept []*modelRecord // with that result
	unwanted := 0
	for _, r := range m.model.records {
		if r.Result == retention.Result {
			kept = append(kept, r)
			if r.UpdatedAt.Before(retention.Before) {
				unwanted++
			}
		}
	}
	if retention.Keep > 0 {
		unwanted = max(unwanted, len(kept)-retention.Keep)
	}
	if retention.Bytes == noRecordFits && retention.Result != queue.Delivered {
		unwanted = len(kept)
	}
	limit := rapid.IntRange(1, 4).Draw(t, "limit")
	n := min(limit, unwanted)
	removed, more, err := m.store.Purge(t.Context(), retention, limit)
	if err != nil || removed != n || more != (unwanted > n) {
		t.Fatalf("purge %+v of %d: removed %d, more: %v, %v; want %d of %d", retention, limit, removed, more, err, n, unwanted)
	}
	m.purged(t, kept, n)
}

// purged forgets those of the records that the store has forgotten: n, and none
// that ended later than one that was kept.
func (m *machine) purged(t *rapid.T, records []*modelRecord, n int) {
	var gone, kept []*modelRecord
	for _, r := range records {
		found, err := m.store.Get(t.Context(), []transport.ID{r.ID}, false)
		if err != nil {
			t.Fatalf("get: %v", err)
		}
		if len(found) == 0 {
			gone = append(gone, r)
		} else {
			kept = append(kept, r)
		}
	}
	if len(gone) != n {
		t.Fatalf("%d records are gone, want %d", len(gone), n)
	}
	for _, g := range gone {
		for _, k := range kept {
			if g.UpdatedAt.Sub(k.UpdatedAt) > m.model.slack {
				t.Fatalf("%s was purged before %s, which ended earlier", g.ID, k.ID)
			}
		}
	}
	m.model.records = slices.DeleteFunc(m.model.records, func(r *modelRecord) bool { return slices.Contains(gone, r) })
}

// advance lets time pass. The odd milliseconds keep instants apart, so that
// nothing is due at the very instant of a call unless it became so in that call.
func (m *machine) advance(t *rapid.T) {
	span := m.span(t, "span", time.Millisecond, time.Minute, 2*time.Minute, 10*time.Minute, 2*time.Hour)
	<-time.NewTimer(span + 7*time.Millisecond).C
	m.begin()
	// A lease of nothing ends nothing, not even what was cancelled.
	request := queue.LeaseRequest{TTL: time.Minute}
	for _, lane := range lanes() {
		request.Budgets = append(request.Budgets, queue.Budget{Lane: lane})
	}
	if leased, err := m.store.Lease(t.Context(), request, nil); err != nil || len(leased) > 0 {
		t.Fatalf("lease of nothing: %v, %v", leased, err)
	}
	due := m.model.due()
	for _, budget := range request.Budgets {
		m.nextAt(t, "budget of nothing", budget.NextAt, due[budget.Lane])
	}
}

package sqlitequeue

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// placeOf a row is where it waits.
type placeOf struct {
	lane  int64
	level int
}

// expected is what memory has to know, by what the tables, the log and the history
// have.
type expected struct {
	tallies   map[int64]*tally
	waiting   map[placeOf]int
	next      map[placeOf]int64 // when the first is due that memory does not have
	residents map[placeOf]int   // that memory has
	turns     map[turnKey]int
	holders   map[turnKey]int64
}

func (e *expected) count(r *row) {
	if e.tallies[r.lane] == nil {
		e.tallies[r.lane] = &tally{}
	}
	e.tallies[r.lane].add(r, 1)
	if r.turn != 0 && r.status < parked {
		key := turnKey{r.lane, r.turn}
		e.turns[key]++
		if r.status != blocked {
			e.holders[key] += r.seq // there is one
		}
	}
}

// disagreement compares memory with the tables. The committer runs it, with nothing
// else under way.
func disagreement(tx *tx) error {
	s := tx.s
	s.mu.Lock()
	defer s.mu.Unlock()
	e := expected{map[int64]*tally{}, map[placeOf]int{}, map[placeOf]int64{}, map[placeOf]int{}, map[turnKey]int{}, map[turnKey]int64{}}
	faults := []error{e.readTables(tx), e.readHistory(tx), e.readItems(s)}
	for _, it := range s.fresh {
		e.count(&it.row)
	}
	for _, l := range s.lanes {
		faults = append(faults, e.compareLane(l))
	}
	for key := range e.turns {
		if e.holders[key] == 0 {
			faults = append(faults, fmt.Errorf("nobody has the turn %v", key))
		}
	}
	for key, at := range s.turns {
		if n := e.turns[key]; n == 0 || at.holder.seq != e.holders[key] || at.alone && n > 1 {
			faults = append(faults, fmt.Errorf("turn %v of %d: %+v, want %d", key, n, at, e.holders[key]))
		}
	}
	return errors.Join(faults...)
}

func (e *expected) readTables(tx *tx) error {
	var faults []error
	err := tx.c.rows("WHERE true", func(r row) error {
		e.count(&r)
		it, place := tx.s.items[r.seq], placeOf{r.lane, r.level}
		if it != nil && it.status != r.status {
			faults = append(faults, fmt.Errorf("message %d: status %d, want %d", r.seq, it.status, r.status))
		}
		if r.status != waiting {
			return nil
		}
		e.waiting[place]++
		if it == nil && (e.next[place] == 0 || r.due < e.next[place]) && !r.hasExpired(tx.now) {
			e.next[place] = r.due
		}
		return nil
	})
	return errors.Join(append(faults, err)...)
}

func (e *expected) readHistory(tx *tx) error {
	return tx.c.query("SELECT records FROM delivered", func(v []driver.Value) error {
		return readRecords(blob(v[0]), nil, func(r *record) error {
			r.status = delivered
			e.count(&r.row)
			return nil
		})
	})
}

func (e *expected) readItems(s *Store) error {
	var faults []error
	var bytes int64
	for _, it := range s.items {
		bytes += it.bytes + itemBytes
		if it.status == waiting {
			e.residents[placeOf{it.row.lane, it.level}]++
		}
		if it.place == nowhere {
			faults = append(faults, fmt.Errorf("message %d is nowhere", it.seq))
		}
	}
	if bytes != s.bytes {
		faults = append(faults, fmt.Errorf("%d bytes, want %d", s.bytes, bytes))
	}
	return errors.Join(faults...)
}

func (e *expected) compareLane(l *lane) error {
	var faults []error
	want := tally{}
	if e.tallies[l.id] != nil {
		want = *e.tallies[l.id]
	}
	if l.tally != want {
		faults = append(faults, fmt.Errorf("lane %s: %+v, want %+v", l.key.Destination, l.tally, want))
	}
	for n := range l.levels {
		level, place := &l.levels[n], placeOf{l.id, n}
		if level.waiting != e.waiting[place] || level.residents != e.residents[place] {
			faults = append(faults, fmt.Errorf("lane %s, level %d: %d wait, %d of them in memory, want %d and %d",
				l.key.Destination, n, level.waiting, level.residents, e.waiting[place], e.residents[place]))
		}
		if next := e.next[place]; next != 0 && (level.next.due == 0 || level.next.due > next) && !level.stale {
			faults = append(faults, fmt.Errorf("lane %s, level %d: the next at %d, want %d at most", l.key.Destination, n, level.next.due, next))
		}
	}
	return errors.Join(faults...)
}

// player makes calls at random.
type player struct {
	*testing.T
	*rand.Rand
	store  *Store
	lanes  []queue.Lane
	leased []queue.Leased
	calls  []string // and what they returned
	full   int      // calls that found no room
}

func (p *player) note(call string, err error) {
	p.Helper()
	p.calls = append(p.calls, fmt.Sprint(call, ": ", err))
	switch {
	case errors.Is(err, queue.ErrStoreFull):
		p.full++
	case err != nil:
		p.Fatalf("%s: %v", call, err)
	}
}

// soon is a time that comes while the test runs.
func (p *player) soon(most int) time.Time {
	return time.Now().Add(time.Duration(p.IntN(most)) * time.Millisecond)
}

func (p *player) enqueue() {
	p.Helper()
	targets := make([]queue.Target, len(p.lanes))
	for i, lane := range p.lanes {
		targets[i] = queue.Target{Lane: lane, Endpoint: lane.Destination}
	}
	batch := make([]queue.Message, 1+p.IntN(12))
	for i := range batch {
		m := testMessage(p.store, strings.Repeat("x", p.IntN(3000)))
		m.Target, m.Targets = p.IntN(2), targets
		m.Lane, m.Priority = p.lanes[m.Target], queue.Priority(p.IntN(3))
		if p.IntN(2) == 0 {
			m.OrderingKey = fmt.Sprint(p.IntN(3))
		}
		if p.IntN(4) == 0 {
			m.ExpiresAt = p.soon(50)
		}
		if p.IntN(4) == 0 {
			m.NotBefore = p.soon(20)
		}
		batch[i] = m
	}
	_, err := p.store.Enqueue(p.Context(), batch)
	p.note("enqueue", err)
}

func (p *player) lease() {
	p.Helper()
	var budgets []queue.Budget
	for _, lane := range p.lanes {
		budgets = append(budgets, queue.Budget{Lane: lane, Max: p.IntN(5), Early: p.IntN(4) == 0})
	}
	ttl := time.Duration(1+p.IntN(50)) * time.Millisecond
	var err error
	p.leased, err = p.store.Lease(p.Context(), queue.LeaseRequest{TTL: ttl, Budgets: budgets}, p.leased)
	p.note("lease", err)
}

func (p *player) settle() {
	p.Helper()
	outcomes := make([]queue.Outcome, p.IntN(len(p.leased)+1))
	for i := range outcomes {
		outcomes[i] = queue.Outcome{
			LeaseRef: p.leased[i].Ref(), Verdict: queue.Verdict(1 + p.IntN(6)), Skip: p.IntN(3) == 0, Target: p.IntN(len(p.lanes)),
			At: p.soon(20), Attempt: &queue.Attempt{Error: strings.Repeat("e", p.IntN(500))},
		}
	}
	p.leased = p.leased[len(outcomes):]
	_, err := p.store.Settle(p.Context(), outcomes) // some leases are over
	p.note("settle", err)
}

func (p *player) administer() {
	p.Helper()
	var err error
	switch p.IntN(4) {
	case 0:
		_, err = p.store.Cancel(p.Context(), queue.Query{Limit: 1 + p.IntN(5), Descending: true})
		p.note("cancel", err)
	case 1:
		_, err = p.store.Replay(p.Context(), queue.Query{Limit: 1 + p.IntN(5)})
		p.note("replay", err)
	default:
		results := []queue.Result{queue.Delivered, queue.Dead, queue.Cancelled, queue.Expired}
		_, _, err = p.store.Purge(p.Context(), queue.Retention{Result: results[p.IntN(4)], Keep: 1 + p.IntN(4)}, 1+p.IntN(10))
		p.note("purge", err)
	}
}

func (p *player) expire() {
	p.Helper()
	_, _, err := p.store.Expire(p.Context(), 1+p.IntN(10))
	p.note("expire", err)
}

// step makes a call, for a third of them with hardly any room on the disk.
func (p *player) step() {
	p.Helper()
	if p.IntN(2) == 0 {
		p.forgetTurns()
	}
	limited := p.IntN(3) == 0
	if limited {
		p.limit(int64(p.IntN(6)))
	}
	calls := []func(){p.enqueue, p.enqueue, p.lease, p.lease, p.settle, p.settle, p.expire, p.administer, p.administer}
	calls[p.IntN(len(calls))]()
	if limited {
		p.limit(1_000_000)
		must(p.T, p.store.exclusively(p.Context(), func(tx *tx) error {
			tx.s.full.Store(false) // as maintenance does, in a second
			return tx.s.growReserve(reserveBytes)
		}))
	}
}

// forgetTurns has most turns of the ordering keys read again.
func (p *player) forgetTurns() {
	p.Helper()
	must(p.T, p.store.exclusively(p.Context(), func(tx *tx) error {
		tx.s.forgetTurns(p.IntN(3))
		return nil
	}))
}

// limit is how many pages the database may grow by.
func (p *player) limit(pages int64) {
	p.Helper()
	must(p.T, p.store.exclusively(p.Context(), func(tx *tx) error {
		used, err := tx.c.number("PRAGMA page_count")
		if err == nil {
			_, err = tx.c.number(fmt.Sprintf("PRAGMA max_page_count = %d", used+pages))
		}
		return err
	}))
}

// compare has memory agree with the tables, and returns what is counted.
func (p *player) compare(s *Store) (total tally) {
	p.Helper()
	var fault error
	must(p.T, s.exclusively(p.Context(), func(tx *tx) error {
		fault, total = disagreement(tx), s.total
		return nil
	}))
	if fault != nil {
		p.Fatalf("memory and tables do not agree: %v\nafter\n%s", fault, strings.Join(p.calls[max(0, len(p.calls)-6):], "\n"))
	}
	return total
}

// TestMemoryAgreesWithTheTables: after any call, on a disk that is full every now
// and then, memory has what a start would read; and after a crash it counts the
// same.
func TestMemoryAgreesWithTheTables(t *testing.T) {
	t.Parallel()
	const steps, crashEvery = 100, 50
	windows := []Options{{}, {Window: 3}, {WindowBytes: 1}}
	for seed := range 2 * len(windows) {
		options := windows[seed%len(windows)]
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := player{T: t, Rand: rand.New(rand.NewPCG(uint64(seed), 1)), store: testOpen(t, t.TempDir(), options)}
				p.lanes = []queue.Lane{testLane, laneOf("b"), laneOf("c")}
				for n := range steps {
					p.step()
					total := p.compare(p.store)
					if n%crashEvery == crashEvery-1 {
						again := testOpen(t, crashed(t, p.store.dir), options)
						if counted := p.compare(again); counted != total {
							t.Fatalf("step %d: after a crash %+v, want %+v", n, counted, total)
						}
						must(t, again.Close(context.WithoutCancel(t.Context())))
					}
					<-time.After(time.Until(p.soon(20))) // leases and messages expire, now and then there is maintenance
				}
				if p.full == 0 {
					t.Error("the disk was never full")
				}
				t.Logf("%d times full", p.full)
			})
		})
	}
}

package sqlitequeue

import (
	"context"
	"fmt"

	"github.com/outrider-go/outrider/queue"
)

// What a message's log keeps: its first attempts and its latest.
const (
	logFirst  = 10
	logLatest = 40
)

// Settle implements queue.Store. It returns once the outcomes are on disk.
func (s *Store) Settle(ctx context.Context, outcomes []queue.Outcome) ([]error, error) {
	for i := range outcomes {
		if v := outcomes[i].Verdict; v < queue.VerdictDelivered || v > queue.VerdictPark {
			return nil, fmt.Errorf("settle: outcome %d has the unknown verdict %d", i+1, v)
		}
	}
	if _, err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.users.Done()
	o := s.newOp()
	defer s.pool.Put(o)
	lost, some := s.claim(o, outcomes)
	if !some {
		return lost, nil
	}
	o.outcomes = outcomes
	if err := s.submit(o); err != nil {
		s.unclaim(o)
		return nil, err
	}
	return lost, nil
}

// claim takes the items whose leases are to end.
func (s *Store) claim(o *op, outcomes []queue.Outcome) (lost lostLeases, some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range outcomes {
		outcomes[i].Result = ""
		it := s.find(outcomes[i].LeaseRef)
		if it == nil {
			lost.add(i, len(outcomes))
		} else {
			s.take(it)
			it.place = settling
			some = true
		}
		o.items = append(o.items, it)
	}
	return lost, some
}

// unclaim gives back what could not be settled: the leases go on.
func (s *Store) unclaim(o *op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range o.items {
		if it != nil && it.place == settling {
			s.putLeased(it)
		}
	}
}

// settle writes the outcomes of an op.
func (t *tx) settle(o *op) error {
	for i, it := range o.items {
		if it == nil {
			continue
		}
		if err := t.end(it, &o.outcomes[i]); err != nil {
			return err
		}
	}
	return nil
}

// end writes the outcome of an item's lease.
func (t *tx) end(it *item, outcome *queue.Outcome) error {
	after := it.row
	after.updated = t.now.wall
	if outcome.Verdict != queue.VerdictRelease {
		after.attempts++
	}
	last := after.log(outcome.Attempt)
	t.s.mu.Lock()
	marked := it.marked
	t.s.mu.Unlock()
	after.decide(outcome, marked, t.now)
	outcome.Result = after.status.result()
	if it.status == fresh {
		if after.status == delivered {
			return t.deliver(it, after, last)
		}
		if err := t.settleDown(it); err != nil {
			return err
		}
	}
	if err := t.archive(it, last); err != nil {
		return err
	}
	if err := t.placeAgain(it, &after, outcome); err != nil {
		return err
	}
	return t.update(it, after, last)
}

// placeAgain takes a message out of its lane or its turn, where it leaves them, and
// puts one that goes on waiting where the outcome says.
func (t *tx) placeAgain(it *item, after *row, outcome *queue.Outcome) error {
	waits := after.status == waiting
	skips := waits && outcome.Skip && outcome.Verdict == queue.VerdictRetry && it.turn != 0
	if skips {
		after.flags |= flagSkipped
		t.skipped = append(t.skipped, it.seq)
	}
	moves := waits && movesTo(it, outcome)
	leaves := !waits || skips || moves && it.message.Targets[outcome.Target].Lane != it.lane.key
	if leaves {
		if err := t.leave(&it.row); err != nil {
			return err
		}
	}
	if moves {
		if err := t.move(it, after, outcome.Target); err != nil {
			return err
		}
	}
	if leaves && waits {
		return t.join(after)
	}
	return nil
}

// decide sets what becomes of a row.
func (r *row) decide(outcome *queue.Outcome, marked bool, now instant) {
	r.flags = 0
	switch outcome.Verdict {
	case queue.VerdictDelivered:
		r.status = delivered
	case queue.VerdictDead:
		r.status = dead
	case queue.VerdictExpired:
		r.status = expired
	case queue.VerdictPark:
		r.status = parked
	case queue.VerdictRetry, queue.VerdictRelease:
		r.status = waiting
	}
	if marked && !r.status.done() {
		r.status = cancelled
		return
	}
	if outcome.Status != "" {
		r.told = outcome.Status
	}
	r.due = 0
	if r.status == waiting {
		r.due = now.tickOf(outcome.At)
	}
}

// log adds an attempt to the row's log, and returns the entry.
func (r *row) log(attempt *queue.Attempt) []byte {
	if attempt == nil {
		return nil
	}
	r.logged++
	r.evidence = max(r.evidence, int64(attempt.Evidence))
	r.lastError = attempt.Error
	attempt.N = int(r.logged)
	return appendAttempt(make([]byte, 0, 64+len(attempt.Error)+len(attempt.Response)), attempt)
}

// archive moves the latest attempt out of the row, where another follows it.
func (t *tx) archive(it *item, last []byte) error {
	if last == nil || it.logged == 0 {
		return nil
	}
	err := t.c.exec("INSERT INTO attempt (seq, n, entry) SELECT seq, logged, last FROM message WHERE seq = ?", it.seq)
	if middle := it.logged + 1 - logLatest; err == nil && middle > logFirst {
		err = t.c.exec("DELETE FROM attempt WHERE seq = ? AND n = ?", it.seq, middle)
	}
	return err
}

func movesTo(it *item, outcome *queue.Outcome) bool {
	return outcome.Target >= 0 && outcome.Target < len(it.message.Targets) && outcome.Target != it.message.Target
}

// move takes a message to the lane of another of its targets.
func (t *tx) move(it *item, after *row, target int) error {
	m := it.message
	m.Retarget(target)
	l, err := t.lane(m.Lane)
	if err != nil {
		return err
	}
	after.lane, after.target, after.head = l.id, int64(target), appendHead([]byte{}, &m)
	secret := appendSecret([]byte{}, &m)
	if err := t.c.exec("UPDATE content SET sum = ?, secret = ? WHERE seq = ?",
		sumOf(m.ID, after.head, secret, m.Payload), secret, it.seq); err != nil {
		return err
	}
	if err := t.c.exec("UPDATE message SET lane = ?, target = ?, head = ? WHERE seq = ?",
		after.lane, after.target, after.head, it.seq); err != nil {
		return err
	}
	return nil
}

// update writes a row that was in memory, and has memory follow.
func (t *tx) update(it *item, after row, last []byte) error {
	l := it.lane
	if after.lane != l.id {
		t.s.mu.Lock()
		l = t.s.laneAt(after.lane)
		t.s.mu.Unlock()
	}
	t.count(it.lane, &it.row, -1)
	t.count(l, &after, 1)
	if err := t.updateRow(&after, last); err != nil {
		return err
	}
	before := it.status
	t.after = append(t.after, func() { t.s.follow(it, before, after, l, t.now) })
	return nil
}

func (t *tx) updateRow(r *row, last []byte) error {
	var due, fault any
	told := toldOrNull(r.told)
	if r.due != 0 {
		due = r.due
	}
	if r.lastError != "" {
		fault = r.lastError
	}
	if last == nil {
		err := t.c.exec("UPDATE message SET status = ?, flags = ?, due = ?, updated = ?, attempts = ?, told = ?, error = ? WHERE seq = ?",
			int64(r.status), r.flags, due, r.updated, r.attempts, told, fault, r.seq)
		return err
	}
	err := t.c.exec("UPDATE message SET status = ?, flags = ?, due = ?, updated = ?, attempts = ?, told = ?, error = ?, "+
		"logged = ?, evidence = ?, last = ? WHERE seq = ?",
		int64(r.status), r.flags, due, r.updated, r.attempts, told, fault, r.logged, r.evidence, last, r.seq)
	return err
}

// follow has memory follow a row of an item that was leased.
func (s *Store) follow(it *item, before status, after row, l *lane, now instant) {
	old := &it.lane.levels[it.level]
	if before == waiting {
		old.waiting--
		old.residents--
	}
	s.dropItem(it)
	switch after.status {
	case waiting:
	case delivered:
		s.keep.spare = append(s.keep.spare, after.seq)
		return
	default:
		return
	}
	level := &l.levels[after.level]
	if after.due > now.tick || level.hasSpilled(now.tick) || level.ready.count >= s.options.Window || s.bytes >= s.options.WindowBytes {
		l.spill(&after)
		return
	}
	m := it.message
	m.Retarget(int(after.target))
	again := &item{row: after, message: m, lane: l}
	level.waiting++
	level.residents++
	s.keepItem(again)
	delete(s.barred, again.seq)
	s.putReady(again)
}

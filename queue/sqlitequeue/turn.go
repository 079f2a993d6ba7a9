package sqlitequeue

import (
	"database/sql/driver"
	"slices"
)

// turnKey names the messages of a lane that have one ordering key, or keys with
// the same hash: those wait for each other, too, which harms nobody.
type turnKey struct{ lane, key int64 }

// turn says which of them has the turn; there is always one. The others are
// blocked, in the database alone. One that gave up its turn stands aside until it
// is due. While all stand aside, the one that is due first has the turn, and loses
// it to one that comes before that. Only the committer uses it.
type turn struct {
	live   int // how many there are
	holder contender
}

// contender is a row that has the turn, or may get it.
type contender struct {
	seq     int64
	level   int
	due     int64
	expires int64
	aside   bool // it gave up its turn until due
}

func (c *contender) isAside(tick int64) bool { return c.aside && c.due > tick }

// before reports whether one of two contenders gets the turn.
func (c *contender) before(other *contender, tick int64) bool {
	aside := c.isAside(tick)
	switch {
	case aside != other.isAside(tick):
		return !aside
	case aside:
		return c.due < other.due
	default:
		return c.seq < other.seq
	}
}

func contenderOf(r *row) contender {
	return contender{seq: r.seq, level: r.level, due: r.due, expires: r.expires, aside: r.flags&flagSkipped != 0}
}

// join adds a row that is to wait to those with its ordering key in its lane, and
// blocks it, unless it has the turn.
func (t *tx) join(r *row) error {
	if r.turn == 0 {
		return nil
	}
	s, key, comer := t.s, turnKey{r.lane, r.turn}, contenderOf(r)
	at := s.turns[key]
	if at == nil {
		at = &turn{holder: comer}
		s.turns[key] = at
	}
	before := *at
	at.live++
	t.undo = append(t.undo, func() {
		if *at = before; at.live == 0 {
			delete(s.turns, key)
		}
	})
	switch {
	case at.live == 1:
		return nil
	case !at.holder.isAside(t.now.tick) || !comer.before(&at.holder, t.now.tick) || !t.unseat(key, &at.holder):
		r.status = blocked
		return nil
	}
	holder := at.holder
	at.holder = comer
	err := t.c.exec("UPDATE message SET status = 2 WHERE seq = ?", holder.seq)
	return err
}

// unseat takes what stands aside out of those that wait for their time. False: its
// time has come.
func (t *tx) unseat(key turnKey, holder *contender) bool {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[holder.seq] != nil && !slices.Contains(t.skipped, holder.seq) {
		return false
	}
	s.stirring = true
	s.bar(holder.seq)
	level := &s.laneAt(key.lane).levels[holder.level]
	t.after = append(t.after, func() {
		level.waiting--
		level.stale = true
	})
	return true
}

// leave takes a row out of those with its ordering key. If it had the turn, the
// one that comes first now gets it.
func (t *tx) leave(r *row) error {
	if r.turn == 0 {
		return nil
	}
	s, key := t.s, turnKey{r.lane, r.turn}
	at := s.turns[key]
	if at == nil { // the row's lane or key is damaged: nobody waits for it
		return nil
	}
	before := *at
	at.live--
	if at.live == 0 {
		delete(s.turns, key)
	}
	t.undo = append(t.undo, func() {
		*at = before
		s.turns[key] = at
	})
	if at.live == 0 || at.holder.seq != r.seq {
		return nil
	}
	return t.elect(key, at, r.seq)
}

// elect gives the turn to one of those that are blocked.
func (t *tx) elect(key turnKey, at *turn, from int64) error {
	if err := t.flush(); err != nil { // they may be in this transaction
		return err
	}
	at.holder = contender{}
	err := t.c.query("SELECT seq, level, due, flags, expires FROM message INDEXED BY turn "+
		"WHERE lane = ? AND turn = ? AND turn IS NOT NULL AND status = 2 AND status < 3 AND seq <> ? ORDER BY seq", func(v []driver.Value) error {
		next := contender{seq: integer(v[0]), level: knownLevel(int(integer(v[1]))), due: integer(v[2]), aside: integer(v[3])&flagSkipped != 0, expires: integer(v[4])}
		if at.holder.seq == 0 || next.before(&at.holder, t.now.tick) {
			at.holder = next
		}
		if !at.holder.isAside(t.now.tick) {
			return errEnough
		}
		return nil
	}, key.lane, key.key, from)
	if err != nil {
		return err
	}
	next := &at.holder
	next.due = max(next.due, t.now.tick)
	l, waits := t.s.laneOf(&row{lane: key.lane}), row{level: next.level, due: next.due, expires: next.expires}
	t.after = append(t.after, func() { l.spill(&waits) })
	err = t.c.exec("UPDATE message SET status = 1, due = ? WHERE seq = ?", next.due, next.seq)
	return err
}

// spill counts a row that waits in the database alone.
func (l *lane) spill(r *row) {
	level := &l.levels[r.level]
	if !level.spilled() {
		level.next, level.stale = nextRow{}, false
	}
	level.waiting++
	level.next.consider(nextRow{r.due, r.expires})
	level.spills.consider(nextRow{r.due, r.expires})
}

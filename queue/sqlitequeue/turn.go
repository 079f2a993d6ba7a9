package sqlitequeue

import (
	"database/sql/driver"
	"errors"
	"math"
	"slices"
)

// turnKey names the messages of a lane that have one ordering key, or keys with
// the same hash: those wait for each other, too, which harms nobody.
type turnKey struct{ lane, key int64 }

// turn says which of them has the turn; there is always one. The others are
// blocked, in the database alone. One that gave up its turn stands aside until it
// is due. While all stand aside, the one that is due first has the turn, and loses
// it to one that comes before that. Memory knows the turns of the keys that were
// used lately, and the database all, but for those whose holder is in the log. Only
// the committer uses it.
type turn struct {
	holder contender
	alone  bool // no other has the key
}

// knownTurns is how many turns memory knows between two times of maintenance, but
// for those whose holder is in the log.
const knownTurns = 1 << 16

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
	key, comer := turnKey{r.lane, r.turn}, contenderOf(r)
	at, err := t.turnOf(key, r.seq)
	if err != nil {
		return err
	}
	switch {
	case at.holder.seq == 0:
		t.setTurn(key, turn{holder: comer, alone: true})
		return nil
	case !at.holder.isAside(t.now.tick) || !comer.before(&at.holder, t.now.tick) || !t.unseat(key, &at.holder):
		t.setTurn(key, turn{holder: at.holder})
		r.status = blocked
		return nil
	}
	t.setTurn(key, turn{holder: comer})
	err = t.c.exec("UPDATE message SET status = 2 WHERE seq = ?", at.holder.seq)
	return err
}

// turnOf finds out who has the turn of an ordering key, but for one row: that one
// is about to join. The zero turn: nobody has the key.
func (t *tx) turnOf(key turnKey, but int64) (turn, error) {
	if at, known := t.s.turns[key]; known {
		return at, nil
	}
	var at turn
	some := false // what is in this transaction alone has made the turn known
	err := t.contenders(key, but, func(one contender, is status) error {
		some = true
		if is == blocked {
			return nil
		}
		at.holder = one
		return errEnough
	})
	if err == nil && some && at.holder.seq == 0 { // where the database was damaged
		at.holder, err = t.elect(key, but)
	}
	return at, err
}

// setTurn has memory know a turn, or forget the one of a key that nobody has.
func (t *tx) setTurn(key turnKey, at turn) {
	turns := t.s.turns
	before, was := turns[key]
	if before == at {
		return
	}
	if turns[key] = at; at.holder.seq == 0 {
		delete(turns, key)
	}
	t.undo = append(t.undo, func() {
		if turns[key] = before; !was {
			delete(turns, key)
		}
	})
}

// forgetTurns leaves so many turns in memory, but for those whose holder is in the
// log.
func (s *Store) forgetTurns(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, at := range s.turns {
		if len(s.turns) <= most {
			return
		}
		if s.fresh[at.holder.seq] == nil {
			delete(s.turns, key)
		}
	}
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
	key := turnKey{r.lane, r.turn}
	at, known := t.s.turns[key]
	switch {
	case known && at.holder.seq != r.seq, !known && r.status == blocked:
		return nil
	case at.alone:
		t.setTurn(key, turn{})
		return nil
	}
	next, err := t.elect(key, r.seq)
	t.setTurn(key, turn{holder: next})
	return err
}

// contenders reads the rows of the tables that have an ordering key, but for one, in
// the order of their seqs, and without those that are known to be unreadable.
func (t *tx) contenders(key turnKey, but int64, each func(one contender, is status) error) error {
	behind, enough := int64(0), false
	for _, end := range append(slices.Clip(t.s.keep.unreadable[key]), math.MaxInt64) {
		err := t.c.query("SELECT seq, level, due, flags, expires, status FROM message INDEXED BY turn "+
			"WHERE lane = ? AND turn = ? AND turn IS NOT NULL AND status < 3 AND seq > ? AND seq < ? AND seq <> ? ORDER BY seq",
			func(v []driver.Value) error {
				err := each(contender{
					seq: integer(v[0]), level: knownLevel(int(integer(v[1]))), due: integer(v[2]),
					aside: integer(v[3])&flagSkipped != 0, expires: integer(v[4]),
				}, status(integer(v[5])))
				enough = errors.Is(err, errEnough)
				return err
			}, key.lane, key.key, behind, end, but)
		if isCorrupt(err) {
			return errors.Join(err, t.findUnreadable(key))
		}
		if err != nil || enough {
			return err
		}
		behind = end
	}
	return nil
}

// findUnreadable has the store know which rows of an ordering key cannot be read.
// SQLite writes nothing more in a transaction that has come to one of them: the next
// does without.
func (t *tx) findUnreadable(key turnKey) error {
	var seqs, unreadable []int64
	err := t.c.query("SELECT seq FROM message INDEXED BY turn WHERE lane = ? AND turn = ? AND turn IS NOT NULL AND status < 3 ORDER BY seq",
		func(v []driver.Value) error {
			seqs = append(seqs, integer(v[0]))
			return nil
		}, key.lane, key.key)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		_, err := t.c.number("SELECT status FROM message WHERE seq = ?", seq)
		switch {
		case isCorrupt(err):
			unreadable = append(unreadable, seq)
		case err != nil:
			return err
		}
	}
	k := &t.s.keep
	k.learned = k.learned || !slices.Equal(k.unreadable[key], unreadable)
	k.unreadable[key] = unreadable
	return nil
}

// elect gives the turn to one of those that are blocked, but for one row. None:
// there is no other that can be read.
func (t *tx) elect(key turnKey, but int64) (next contender, err error) {
	if err := t.flush(); err != nil { // they may be in this transaction
		return contender{}, err
	}
	err = t.contenders(key, but, func(one contender, is status) error {
		if is == blocked && (next.seq == 0 || one.before(&next, t.now.tick)) {
			next = one
		}
		if next.seq != 0 && !next.isAside(t.now.tick) {
			return errEnough
		}
		return nil
	})
	if err != nil || next.seq == 0 {
		return contender{}, err
	}
	next.due = max(next.due, t.now.tick)
	l, waits := t.s.laneOf(&row{lane: key.lane}), row{level: next.level, due: next.due, expires: next.expires}
	t.after = append(t.after, func() { l.spill(&waits) })
	err = t.c.exec("UPDATE message SET status = 1, due = ? WHERE seq = ?", next.due, next.seq)
	return next, err
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

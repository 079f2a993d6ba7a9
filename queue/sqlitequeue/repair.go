package sqlitequeue

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// repair repairs what the check has found, as far as nothing is lost by it, in one
// transaction.
func (k *checker) repair(ctx context.Context) (done Repairs, err error) {
	err = k.transact(ctx, func() error {
		if err := k.settleLog(ctx); err != nil {
			return err
		}
		if err := k.endDamaged(&done); err != nil {
			return err
		}
		if done.Found, err = k.c.change("UPDATE message SET status = 1, due = COALESCE(due, created) WHERE status = 0 OR status = 1 AND due IS NULL"); err != nil {
			return err
		}
		if done.Turns, err = k.c.giveTurns(nowWall()); err != nil {
			return err
		}
		done.Tallies, err = k.c.countAgain(ctx)
		return err
	})
	return done, err
}

// settleLog writes what waits in the log into the tables, as a store does that
// opens. What cannot be read of the log stays there.
func (k *checker) settleLog(ctx context.Context) error {
	w, err := newWalker(ctx, k.c)
	if err != nil {
		return err
	}
	for i := range w.log {
		e := &w.log[i]
		e.status = waiting
		if err := k.c.exec(insertOne.message, e.values()...); err != nil {
			return err
		}
		if e.damage != nil {
			continue
		}
		if err := k.c.exec(insertOne.content, e.seq, e.sum, e.secret, e.body); err != nil {
			return err
		}
	}
	if len(w.faults) > 0 {
		return nil
	}
	err = k.c.exec("DELETE FROM accepted")
	return err
}

// change runs a query and returns how many rows it changed.
func (c *conn) change(query string, args ...any) (int64, error) {
	if err := c.exec(query, args...); err != nil {
		return 0, err
	}
	return c.number("SELECT changes()")
}

func nowWall() int64 { return toWall(time.Now()) }

// endDamaged ends what waits and cannot be delivered.
func (k *checker) endDamaged(done *Repairs) error {
	for i := range k.Damaged {
		d := &k.Damaged[i]
		if !d.ends {
			continue
		}
		ended, err := k.c.change("UPDATE message SET status = ?, flags = 0, due = NULL, updated = ?, told = ?, error = ? WHERE seq = ? AND status < ?",
			int64(dead), nowWall(), queue.StatusUndeliverable, d.Fault, d.seq, int64(delivered))
		if err != nil {
			return err
		}
		if ended > 0 {
			done.Ended = append(done.Ended, d.ID)
		}
	}
	return nil
}

// giveTurns has exactly one message of each ordering key have the turn, and
// returns of how many keys that was not so. One that has it keeps it, if it comes
// first of those that do.
func (c *conn) giveTurns(tick int64) (wrong int64, err error) {
	type seat struct{ keep, next contender }
	seats := map[turnKey]*seat{}
	bad := map[turnKey]bool{}
	err = c.query("SELECT lane, turn, seq, status, level, due, flags, expires FROM message INDEXED BY turn WHERE turn IS NOT NULL AND status < 3", func(v []driver.Value) error {
		key := turnKey{integer(v[0]), integer(v[1])}
		one := contender{seq: integer(v[2]), level: int(integer(v[4])), due: integer(v[5]), aside: integer(v[6])&flagSkipped != 0, expires: integer(v[7])}
		at := seats[key]
		if at == nil {
			at = &seat{}
			seats[key] = at
			bad[key] = true
		}
		if status(integer(v[3])) != blocked {
			bad[key] = at.keep.seq != 0
			if at.keep.seq == 0 || one.before(&at.keep, tick) {
				at.keep = one
			}
		}
		if at.next.seq == 0 || one.before(&at.next, tick) {
			at.next = one
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for key, is := range bad {
		if !is {
			continue
		}
		wrong++
		holder := seats[key].keep.seq
		if holder == 0 {
			holder = seats[key].next.seq
		}
		if err := c.seat(key, holder); err != nil {
			return 0, err
		}
	}
	return wrong, nil
}

// seat gives one message of an ordering key the turn, and blocks the others.
func (c *conn) seat(key turnKey, holder int64) error {
	err := c.exec("UPDATE message SET status = CASE seq WHEN ? THEN 1 ELSE 2 END, due = COALESCE(due, created) "+
		"WHERE lane = ? AND turn = ? AND turn IS NOT NULL AND status < 3", holder, key.lane, key.key)
	return err
}

// countAgain has each lane count what it has, and returns how many have counted
// otherwise.
func (c *conn) countAgain(ctx context.Context) (wrong int64, err error) {
	stored, err := c.tallies()
	if err != nil {
		return 0, err
	}
	counted, err := c.count(ctx)
	if err != nil {
		return 0, err
	}
	for id, t := range counted {
		if *t != stored[id] {
			wrong++
		}
	}
	return wrong, c.writeTallies(counted)
}

// count counts the messages of each lane.
func (c *conn) count(ctx context.Context) (map[int64]*tally, error) {
	counted := map[int64]*tally{}
	if err := c.query("SELECT id FROM lane", func(v []driver.Value) error {
		counted[integer(v[0])] = &tally{}
		return nil
	}); err != nil {
		return nil, err
	}
	w, err := newWalker(ctx, c)
	if err != nil {
		return nil, err
	}
	for {
		e, err := w.next(ctx)
		if err != nil || e == nil {
			return counted, err
		}
		if t := counted[e.lane]; t != nil && e.status >= fresh && e.status <= expired {
			t.add(&e.row, 1)
		}
	}
}

// writeTallies writes what all lanes count. Nothing in the journal is newer then;
// its last row stays, so that numbers are not used again.
func (c *conn) writeTallies(all map[int64]*tally) error {
	newest, err := c.number("SELECT max(n) FROM journal")
	if err != nil {
		return err
	}
	for id, t := range all {
		if err := c.exec("UPDATE lane SET tally = ?, folded = ? WHERE id = ?", appendTally(nil, id, t), newest, id); err != nil {
			return err
		}
	}
	if err := c.exec("DELETE FROM journal WHERE n < ?", newest); err != nil {
		return err
	}
	err = c.exec("UPDATE journal SET tallies = x''")
	return err
}

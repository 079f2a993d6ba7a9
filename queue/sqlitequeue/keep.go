package sqlitequeue

import (
	"fmt"
	"slices"
	"time"
)

const (
	keepEvery       = time.Second
	freshFor        = 5 * time.Second // then a message leaves the log
	foldLanes       = 512             // tallies folded in one transaction
	contentsInRound = 256             // contents dropped with other writes
	contentsAtOnce  = 4096            // contents dropped on their own
	ageAtOnce       = 1000            // messages that leave the log in one transaction
	ageBytes        = 4 << 20         // of them, after which no more do: what is accepted waits for it
	keysAtOnce      = 10_000          // keys dropped in one transaction
	idMargin        = 1_000_000       // more ids than are made between two times of maintenance
	vacuumFrom      = 1024            // unused pages
	vacuumPages     = 512             // given back at once
)

// keeper is what the committer does beside its calls: it drops the payloads of
// delivered messages, folds the journal, and gives room back. Only the committer
// uses it.
type keeper struct {
	latest   int64               // the latest id's seq that is on disk; at first that after which ids begin
	begun    bool                // one of those made since the start is
	spent    []int64             // rows of the log that can go
	batches  map[*batch]struct{} // the others
	spare    []int64             // delivered messages whose content is still there
	unfolded map[*lane]struct{}  // lanes whose tally is newer in journal
	folding  int64               // the row of journal up to which all are folded, once unfolded of then are
	fold     []*lane             // those
	merges   bool                // nobody reads the history
	merged   int                 // runs of the history that need not be looked at for merging
	known    knownKeys
	shrunk   bool  // the database is shorter than its file
	written  int64 // bytes, about, since the committer looked at the write-ahead log
	tried    int64 // pages that the write-ahead log had when it was last put into the database
	reserve  int64 // bytes that are kept in a file
	unseen   int64 // bytes, about, since the committer looked whether the reserve is large enough
	cutAt    int64 // bytes of the write-ahead log from which it is cut off, on a full disk

	unreadable map[turnKey][]int64 // seqs of rows of ordering keys that a page has which cannot be read, in order
	learned    bool                // the transaction under way has found some
}

// maintain does a part of the work, and says whether there is more, now or later.
func (s *Store) maintain() (again bool) {
	if s.checkpoint(); s.full.Load() {
		s.recoverRoom()
	}
	s.forgetTurns(knownTurns)
	s.trimReserve()
	if !s.idle() {
		if s.keep.merges = s.merging.TryLock(); s.keep.merges {
			defer s.merging.Unlock()
		}
		s.keepRoom(0)
		_ = s.transactInRoom((*tx).maintain) // it is tried again in a second, or the store has failed
	}
	if s.failure() != nil {
		return false
	}
	shrinking := s.giveBackRoom()
	return shrinking || s.full.Load() || !s.idle() || len(s.fresh) > 0
}

// idle reports whether nothing has changed since all was in order.
func (s *Store) idle() bool {
	k := &s.keep
	k.known.forget(s.clock.now())
	return len(k.spare) == 0 && len(k.spent) == 0 && !s.mergeable() && len(k.unfolded) == 0 && len(k.fold) == 0 &&
		len(k.known.spent) == 0 && seqOf(s.ids.latestID()) == k.latest && !s.hasAged()
}

// mergeable reports whether there are runs of the history that may be short.
func (s *Store) mergeable() bool { return len(s.allRuns())-s.keep.merged > runLength }

func (t *tx) maintain() error {
	for _, do := range []func() error{t.foldTallies, t.ageFresh, t.dropKeys, t.dropSpent, t.mergeRuns, t.saveLatest, t.saveTick} {
		if err := do(); err != nil {
			return err
		}
	}
	return t.dropContents(contentsAtOnce)
}

// foldTallies writes tallies into their lanes, and drops the rows of journal that
// are no longer needed for any.
func (t *tx) foldTallies() error {
	k := &t.s.keep
	newest, err := t.c.number("SELECT max(n) FROM journal")
	if err != nil {
		return err
	}
	if len(k.fold) == 0 {
		k.folding = newest
		for l := range k.unfolded {
			k.fold = append(k.fold, l)
		}
	}
	part := k.fold[:min(foldLanes, len(k.fold))]
	for _, l := range part {
		if err := t.c.exec("UPDATE lane SET tally = ?, folded = ? WHERE id = ?", appendTally(nil, l.id, &l.tally), newest, l.id); err != nil {
			return err
		}
	}
	rest := k.fold[len(part):]
	if len(rest) == 0 {
		// The last row stays, so that numbers are not used again.
		if err := t.c.exec("DELETE FROM journal WHERE n < ?", k.folding); err != nil {
			return err
		}
	}
	t.after = append(t.after, func() {
		for _, l := range part {
			delete(k.unfolded, l)
		}
		k.fold = rest
	})
	return nil
}

// hasAged reports whether there are fresh messages that are not so fresh.
func (s *Store) hasAged() bool {
	now := s.clock.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.fresh {
		if now.wall-it.created >= int64(freshFor) {
			return true
		}
	}
	return false
}

// ageFresh takes messages out of the log that have been there for a while, so that
// it stays short: it is what a restart has to read.
func (t *tx) ageFresh() error {
	s := t.s
	if s.full.Load() { // it takes room
		return nil
	}
	var aged []*item
	var size int64
	s.mu.Lock()
	for _, it := range s.fresh {
		if len(aged) == ageAtOnce || size >= ageBytes {
			break
		}
		if t.now.wall-it.created >= int64(freshFor) && it.place != settling {
			aged = append(aged, it)
			size += it.bytes
		}
	}
	s.mu.Unlock()
	for _, it := range aged {
		if err := t.settleDown(it); err != nil {
			return err
		}
	}
	return nil
}

// saveLatest keeps the latest id, so that none is made twice, also when the clock
// is set back. The first transaction after a start does it, and maintenance: no more
// ids are made in between than idMargin.
func (t *tx) saveLatest() error {
	k, latest := &t.s.keep, t.s.ids.latestID()
	seq := seqOf(latest)
	if seq == k.latest {
		return nil
	}
	t.after = append(t.after, func() { k.latest, k.begun = seq, true })
	err := t.c.exec("INSERT OR REPLACE INTO setting (name, value) VALUES ('latest', ?), ('prefix', ?)", seq, prefixOf(latest))
	return err
}

// saveTick keeps how far the clock is, for the next start.
func (t *tx) saveTick() error {
	return t.c.exec("INSERT OR REPLACE INTO setting (name, value) VALUES ('tick', ?)", t.now.tick)
}

// dropContents drops up to most contents of delivered messages, once they are
// many enough to be worth it, or at the time for that. Neighbours go together.
func (t *tx) dropContents(most int) error {
	k := &t.s.keep
	if len(k.spare) < most && most == contentsInRound || len(k.spare) == 0 {
		return nil
	}
	part := k.spare[:min(most, len(k.spare))]
	if err := inRanges(slices.Clone(part), t.dropContentsOf); err != nil {
		return err
	}
	n := len(part)
	t.after = append(t.after, func() { k.spare = append(k.spare[:0], k.spare[n:]...) })
	return nil
}

// giveBackRoom shortens the file by some of the pages that are not used, where
// they are many. It says whether there are more. The file gets shorter with the
// checkpoint alone, which may be far off when nothing else goes on. In a damaged file
// all stays where it is.
func (s *Store) giveBackRoom() bool {
	if s.isDamaged() {
		return false
	}
	free, err := s.writer.number("PRAGMA freelist_count")
	if err != nil {
		return false
	}
	pages, err := s.writer.number("PRAGMA page_count")
	if err != nil || free < vacuumFrom || free < pages/4 {
		if err == nil && s.keep.shrunk {
			s.keep.shrunk = false
			_, _, err = s.writer.checkpoint("PASSIVE")
			s.checkpointed(err)
		}
		return false
	}
	s.keep.shrunk = true
	if err := s.writer.script(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages)); err != nil {
		switch {
		case isCorrupt(err):
			s.foundDamage(err)
		case !isFull(err):
			_ = s.fail(err)
		}
		return false
	}
	return true
}

// inRanges does something to rows, neighbours together.
func inRanges(rows []int64, do func(first, last int64) error) error {
	slices.Sort(rows)
	for i := 0; i < len(rows); {
		first := i
		for i++; i < len(rows) && rows[i] == rows[i-1]+1; i++ {
		}
		if err := do(rows[first], rows[i-1]); err != nil {
			return err
		}
	}
	return nil
}

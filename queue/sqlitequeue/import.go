package sqlitequeue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// ErrNotEmpty says that a store has messages, or states of lanes.
var ErrNotEmpty = errors.New("store is not empty: a message's id says where it is kept, so that only an empty one takes those of another")

// importBatch is how many messages are written at once.
const importBatch = 1000

// Importer makes the store of a directory out of what a [Snapshot] has read, of
// this store or another. All of it becomes the store at once, with
// [Importer.Commit], or nothing does. One goroutine uses an importer at a time.
type Importer struct {
	dir    string
	lock   *os.File
	c      *conn
	lanes  map[queue.Lane]*importLane
	turns  map[turnKey]*importTurn
	keys   keyRun       // of messages that were enqueued at one instant
	wrote  int          // in the transaction
	newest transport.ID // with the greatest seq
	failed error
}

type importLane struct {
	id int64
	tally
}

// importTurn is who gets the turn of an ordering key.
type importTurn struct {
	contender
	had bool // it had it before
}

// NewImporter begins an import into a directory, which it makes where there is
// none. The caller closes it.
//
// Errors: [queue.ErrLocked] when a process has the store; [ErrNotEmpty].
func NewImporter(ctx context.Context, dir string) (i *Importer, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	i = &Importer{dir: dir, lanes: map[queue.Lane]*importLane{}, turns: map[turnKey]*importTurn{}}
	if i.lock, err = lockDir(dir); err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	if err := firstOf(ctx.Err(), i.begin()); err != nil {
		return nil, errors.Join(fmt.Errorf("import into %s: %w", dir, err), i.Close())
	}
	return i, nil
}

func (i *Importer) begin() error {
	if err := checkEmpty(i.dir); err != nil {
		return err
	}
	path, err := newFile(i.dir)
	if err != nil {
		return err
	}
	if i.c, err = openDatabase(path); err != nil {
		return err
	}
	// Nobody sees the file before it is whole, and synced.
	return i.c.set("PRAGMA synchronous = OFF", "BEGIN IMMEDIATE")
}

// checkEmpty makes sure that nothing is lost when the database is replaced.
func checkEmpty(dir string) (err error) {
	if err := checkStore(dir); err != nil {
		if errors.Is(err, ErrNoStore) {
			return nil
		}
		return err
	}
	c, err := openDatabase(filepath.Join(dir, databaseName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	some, err := c.number("SELECT EXISTS (SELECT 1 FROM message) OR EXISTS (SELECT 1 FROM accepted) OR EXISTS (SELECT 1 FROM delivered) " +
		"OR EXISTS (SELECT 1 FROM lane WHERE state IS NOT NULL)")
	if err == nil && some != 0 {
		err = ErrNotEmpty
	}
	return err
}

// Close ends the import. What was not committed is gone.
func (i *Importer) Close() error {
	var faults []error
	if i.c != nil {
		faults = append(faults, i.c.close())
		i.c = nil
	}
	if i.lock != nil {
		faults = append(faults, removeNew(i.dir), i.lock.Close())
		i.lock = nil
	}
	return errors.Join(faults...)
}

// SetLane keeps the state of a lane.
func (i *Importer) SetLane(state queue.LaneState) error {
	encoded, err := encodeState(state)
	if err != nil {
		return err
	}
	return i.write(func() error {
		l, err := i.lane(state.Lane)
		if err != nil {
			return err
		}
		err = i.c.exec("UPDATE lane SET state = ? WHERE id = ?", encoded, l.id)
		return err
	})
}

// Add keeps a message as it was: with its id, state, log and times. One with a
// Fault is kept without its content: it is dead once its turn comes. The messages
// of one store can come in any order.
func (i *Importer) Add(s *Saved) error {
	if err := s.validate(); err != nil {
		return fmt.Errorf("message %s: %w", s.ID, err)
	}
	err := i.write(func() error { return i.add(s) })
	if isDuplicate(err) {
		return fmt.Errorf("message %s: there is another with the place %d in its id: they cannot be in one store", s.ID, seqOf(s.ID))
	}
	if err != nil {
		return fmt.Errorf("message %s: %w", s.ID, err)
	}
	return nil
}

// write runs a function in a transaction, which others share. After an error
// nothing can be committed.
func (i *Importer) write(run func() error) error {
	if i.failed != nil {
		return i.failed
	}
	if i.c == nil {
		return errors.New("the import has ended")
	}
	err := run()
	if i.wrote++; err == nil && i.wrote >= importBatch {
		i.wrote = 0
		err = i.c.set("COMMIT", "BEGIN IMMEDIATE")
	}
	if isFull(err) {
		err = fmt.Errorf("no room on the disk of %s: %w", i.dir, err)
	}
	i.failed = err
	return err
}

func (i *Importer) lane(key queue.Lane) (*importLane, error) {
	if l := i.lanes[key]; l != nil {
		return l, nil
	}
	l := &importLane{id: int64(len(i.lanes)) + 1}
	if err := i.c.exec("INSERT INTO lane (id, profile, destination) VALUES (?, ?, ?)", l.id, key.Profile, key.Destination); err != nil {
		return nil, err
	}
	i.lanes[key] = l
	return l, nil
}

// Commit makes what was added the store. A crash leaves the empty store, or the
// whole new one.
func (i *Importer) Commit(ctx context.Context) error {
	if i.failed != nil {
		return fmt.Errorf("import: an earlier error left it incomplete: %w", i.failed)
	}
	if i.c == nil {
		return errors.New("import: it has ended")
	}
	if err := i.commit(ctx); err != nil {
		i.failed = err
		return fmt.Errorf("import: %w", err)
	}
	return i.Close()
}

func (i *Importer) commit(ctx context.Context) error {
	if err := i.finish(ctx); err != nil {
		return err
	}
	if err := i.c.set("COMMIT", "PRAGMA synchronous = FULL", "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return err
	}
	c := i.c
	i.c = nil
	if err := firstOf(c.close(), ctx.Err()); err != nil {
		return err
	}
	return replaceDatabase(i.dir)
}

// finish writes what is known once all messages are there.
func (i *Importer) finish(ctx context.Context) error {
	for key, at := range i.turns {
		if err := i.c.exec("UPDATE message SET status = 1 WHERE seq = ?", at.seq); err != nil {
			return err
		}
		delete(i.turns, key)
	}
	tallies := make(map[int64]*tally, len(i.lanes))
	for _, l := range i.lanes {
		tallies[l.id] = &l.tally
	}
	if err := i.c.writeTallies(tallies); err != nil {
		return err
	}
	if err := i.writeKeys(); err != nil {
		return err
	}
	err := i.c.exec("INSERT OR REPLACE INTO setting (name, value) VALUES ('latest', ?), ('prefix', ?)", seqOf(i.newest), prefixOf(i.newest))
	return firstOf(err, ctx.Err())
}

func (s *Saved) validate() error {
	done, waits := s.Result != "", s.Cancelled || s.Aside || s.Turn
	var faults []error
	for _, fault := range []struct {
		is   bool
		text string
	}{
		{s.ID.IsZero() || idOf(prefixOf(s.ID), seqOf(s.ID)) != s.ID, "its id is no store's"},
		{s.Lane.Profile == "" || s.Lane.Destination == "", "its profile or destination is missing"},
		{s.CreatedAt.IsZero(), "it does not say when it was created"},
		{s.Target < 0 || s.Target > 0 && s.Target >= len(s.Targets), "it has no target of that number"},
		{min(s.Attempts, s.Replays, int(s.Bytes)) < 0, "it counts attempts, replays or bytes below zero"},
		{max(s.Evidence, s.MinEvidence) > transport.Accepted, "its evidence is not known"},
		{done && statusOf(s.Result) == fresh, "its result is not known"},
		{done && (s.Parked || waits), "it is done, and waits"},
		{s.Parked && waits, "it waits for pick-up, and for an attempt"},
		{!inOrder(s.Log), "its attempts are not in order"},
	} {
		if fault.is {
			faults = append(faults, errors.New(fault.text))
		}
	}
	return errors.Join(faults...)
}

// inOrder reports whether the attempts count from 1 on.
func inOrder(log []queue.Attempt) bool {
	last := 0
	for i := range log {
		if log[i].N <= last {
			return false
		}
		last = log[i].N
	}
	return true
}

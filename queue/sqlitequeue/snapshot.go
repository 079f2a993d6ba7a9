package sqlitequeue

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// Saved is all that a store keeps of a message.
type Saved struct {
	// Record is with payload, but for what was delivered. NextAt is when it is due,
	// also while something else holds it back. None is leased.
	queue.Record
	// Log are its attempts, oldest first.
	Log []queue.Attempt
	// Parked says that it waits for pick-up.
	Parked bool
	// Cancelled says that it was cancelled while it was leased: Expire ends it.
	Cancelled bool
	// Aside says that it gave up its turn until NextAt.
	Aside bool
	// Turn says that it has the turn in its ordering key.
	Turn bool
	// Fault says why the payload and all URIs are not there; empty: they are.
	Fault string
}

// Snapshot reads the store of a directory as it is at one moment, while another
// process may have it. Meanwhile that one's log grows with what it writes. One
// goroutine uses a snapshot at a time.
type Snapshot struct {
	c          *conn
	schema     int
	lanes      map[int64]queue.Lane
	states     []queue.LaneState
	faults     []string // of lanes
	unreadable []string
	missing    int64
}

// OpenSnapshot begins to read the store of a directory. The caller closes it.
//
// Errors: [ErrNoStore], [ErrVersion] and [ErrForeign].
func OpenSnapshot(ctx context.Context, dir string) (*Snapshot, error) {
	if err := checkStore(dir); err != nil {
		return nil, err
	}
	c, err := connect(filepath.Join(dir, databaseName), "PRAGMA query_only = 1", "PRAGMA busy_timeout = 10000", "BEGIN")
	if err != nil {
		return nil, err
	}
	s := &Snapshot{c: c, lanes: map[int64]queue.Lane{}}
	if err := errors.Join(ctx.Err(), s.begin()); err != nil {
		return nil, errors.Join(fmt.Errorf("read the store in %s: %w", dir, err), c.close())
	}
	return s, nil
}

func (s *Snapshot) begin() (err error) {
	if s.schema, err = s.c.schemaVersion(); err != nil {
		return err
	}
	if s.schema < len(migrations()) {
		return fmt.Errorf("it has schema version %d, of an earlier version of the program: start the daemon once, which brings it to version %d", s.schema, len(migrations()))
	}
	return s.c.query("SELECT id, profile, destination, state FROM lane ORDER BY profile, destination", func(v []driver.Value) error {
		lane := queue.Lane{Profile: text(v[1]), Destination: text(v[2])}
		s.lanes[integer(v[0])] = lane
		if text(v[3]) == "" {
			return nil
		}
		state := queue.LaneState{}
		if err := json.Unmarshal([]byte(text(v[3])), &state); err != nil {
			s.faults = append(s.faults, fmt.Sprintf("the state of destination %s: %v", lane.Destination, err))
			return nil
		}
		state.Lane = lane
		s.states = append(s.states, state)
		return nil
	})
}

// Close ends the reading.
func (s *Snapshot) Close() error { return s.c.close() }

// Lanes are the states of lanes, by profile and destination.
func (s *Snapshot) Lanes() []queue.LaneState { return slices.Clone(s.states) }

// Each runs a function on all messages that wanted accepts, in the order of their
// ids, but for the time in them; nil wants all. Wanted sees the record without what
// only an attempt needs. What is damaged comes with a Fault, and, where its lane is
// not known, without one. What cannot be read of the store is left out.
func (s *Snapshot) Each(ctx context.Context, wanted func(*queue.Record) bool, each func(*Saved) error) error {
	w, err := newWalker(ctx, s.c)
	if err != nil {
		return err
	}
	visited := int64(0)
	for {
		e, err := w.next(ctx)
		if err != nil || e == nil {
			return firstOf(err, s.conclude(w, visited))
		}
		visited++
		saved, err := s.saved(w, e, wanted)
		if err != nil {
			return err
		}
		if saved == nil {
			continue
		}
		if err := each(saved); err != nil {
			return err
		}
	}
}

// conclude says what could not be read.
func (s *Snapshot) conclude(w *walker, visited int64) error {
	s.unreadable, s.missing = slices.Concat(s.faults, w.faults), 0
	for _, part := range []struct {
		what  string
		count int64
	}{{"the content", w.contents}, {"the earlier attempts", w.logs}} {
		if part.count > 0 {
			s.unreadable = append(s.unreadable, fmt.Sprintf("%s of %d messages", part.what, part.count))
		}
	}
	if len(w.faults) == 0 {
		return nil
	}
	counted, err := s.c.tallies()
	if isUnreadable(err) { // nobody knows
		return nil
	}
	for id := range counted {
		t := counted[id]
		s.missing += max(0, t.records())
	}
	s.missing = max(0, s.missing-visited)
	return err
}

// Unreadable says, after Each, which parts of the store could not be read.
func (s *Snapshot) Unreadable() []string { return s.unreadable }

// Missing is, after Each, how many messages are in what could not be read, as far as
// the store has counted them.
func (s *Snapshot) Missing() int64 { return s.missing }

// saved reads what belongs to a message; nil: it is not wanted.
func (s *Snapshot) saved(w *walker, e *entry, wanted func(*queue.Record) bool) (saved *Saved, err error) {
	key, known := s.lanes[e.lane]
	record := e.row.record(key, instant{})
	_, fault := e.message(key)
	record.NextAt = fromWall(e.dueAt())
	if wanted != nil && !wanted(&record) {
		return nil, nil //nolint:nilnil // as documented
	}
	saved = &Saved{
		Record: record, Parked: e.status == parked, Cancelled: e.flags&flagCancelled != 0, Aside: e.flags&flagSkipped != 0,
		Turn: e.turn != 0 && e.status < blocked,
	}
	switch {
	case !known:
		fault = fmt.Errorf("%w (lane %d)", errNoLane, e.lane)
	case e.damage != nil:
		fault = errDamaged
	case fault == nil && e.status != delivered:
		if fault, err = w.content(e, &saved.Message); err != nil {
			return nil, err
		}
		saved.Payload = e.body
	}
	if fault != nil {
		saved.Hide(fault)
	}
	if saved.Log, err = s.log(w, e); err != nil {
		return nil, err
	}
	saved.mend()
	return saved, nil
}

// mend has the numbers of a message be some that there can be, so that a store takes
// it: no checksum covers them.
func (s *Saved) mend() {
	if s.Target < 0 || s.Target > 0 && s.Target >= len(s.Targets) {
		s.Target = 0
		if s.Fault == "" {
			s.Hide(errDamaged)
		}
	}
	s.Attempts, s.Replays, s.Bytes = max(0, s.Attempts), max(0, s.Replays), max(0, s.Bytes)
	s.Evidence, s.MinEvidence = min(s.Evidence, transport.Accepted), min(s.MinEvidence, transport.Accepted)
	if s.CreatedAt.IsZero() {
		s.CreatedAt = s.UpdatedAt
	}
	if s.CreatedAt.IsZero() {
		s.CreatedAt = time.Now()
	}
	if !inOrder(s.Log) {
		s.Log = nil
	}
}

// Hide takes out of a message what an attempt needs, and says why.
func (s *Saved) Hide(fault error) {
	s.Fault = fault.Error()
	s.Payload, s.Metadata, s.URI = nil, nil, transport.Secret{}
	for i := range s.Targets {
		s.Targets[i].URI = transport.Secret{}
	}
}

// log reads what can be read of a message's log.
func (s *Snapshot) log(w *walker, e *entry) (log []queue.Attempt, err error) {
	switch {
	case e.logged == 0:
		return nil, nil
	case e.place == inTables:
		if log, _, err = s.c.attempts(e.id()); isUnreadable(err) {
			w.logs++
			log, err = addAttempt(nil, e.logged, e.last)
		}
	default:
		log, err = addAttempt(nil, e.logged, e.last)
	}
	if isDamaged(err) {
		err = nil
	}
	return log, err
}

// dueAt is when a row is due that waits; 0 for the others.
func (r *row) dueAt() int64 {
	switch r.status {
	case fresh:
		return r.created
	case waiting, blocked:
		return r.due
	default:
		return 0
	}
}

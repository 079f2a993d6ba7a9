package sqlitequeue

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// CheckOptions of [Check]. The zero value works.
type CheckOptions struct {
	// Repair repairs what can be without losing anything: it counts again what is
	// counted wrongly, gives turns, finds what would not be found, and ends, as
	// dead, damaged messages that wait. A file that SQLite finds damaged is left as
	// it is. Default: nothing is changed.
	Repair bool
	// Progress is told how many messages have been looked at, and of about how
	// many, every thousand. Before that SQLite checks the file, which takes about as
	// long. Default: nobody is told.
	Progress func(done, total int64)
}

// integrityFaults is how much SQLite says at most.
const integrityFaults = 100

// Check looks at all that is in the store of a directory: whether the file is
// whole, each message is what was written, and all that is kept beside the
// messages agrees with them. No process may have the store. The end of ctx stops
// it; what was to be repaired is then as it was.
//
// Errors: [queue.ErrLocked] when a process has the store; [ErrNoStore]. What is
// wrong with the store is no error, but in the report.
func Check(ctx context.Context, dir string, options CheckOptions) (report Report, err error) {
	o, err := openOffline(dir)
	if err != nil {
		return Report{}, fmt.Errorf("check: %w", err)
	}
	defer func() { err = errors.Join(err, o.close()) }()
	k := newChecker(o, options)
	if err := k.run(ctx); err != nil {
		return Report{}, fmt.Errorf("check: %w", err)
	}
	if !options.Repair || k.OK() || len(k.Integrity) > 0 {
		return k.Report, nil
	}
	repaired, err := k.repair(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("repair: %w", err)
	}
	after := newChecker(o, options)
	if err := after.run(ctx); err != nil {
		return Report{}, fmt.Errorf("check after the repair: %w", err)
	}
	after.Repaired = repaired
	return after.Report, nil
}

// checker checks a store.
type checker struct {
	Report
	*offline
	options CheckOptions
	lanes   map[int64]queue.Lane
	stored  map[int64]tally // as the lanes count
	counted map[int64]*tally
	turns   map[turnKey]int // how many messages have the turn
}

func newChecker(o *offline, options CheckOptions) *checker {
	if options.Progress == nil {
		options.Progress = func(int64, int64) {}
	}
	return &checker{
		offline: o, options: options, lanes: map[int64]queue.Lane{}, counted: map[int64]*tally{}, turns: map[turnKey]int{},
	}
}

func (k *checker) run(ctx context.Context) error {
	for i, step := range []func(context.Context) error{
		k.checkFile, k.readLanes, k.checkMessages, k.checkLogs, k.countOrphans,
	} {
		if err := step(ctx); err != nil {
			if !isCorrupt(err) {
				return err
			}
			if fault := err.Error(); !slices.Contains(k.Integrity, fault) {
				k.Integrity = append(k.Integrity, fault)
			}
			if i > 0 && k.stored == nil { // without lanes no message is what it was
				return nil
			}
		}
	}
	k.compare()
	return nil
}

// checkFile has SQLite check the file.
func (k *checker) checkFile(ctx context.Context) error {
	version, err := k.c.schemaVersion()
	if err != nil {
		return err
	}
	k.Schema = version
	return k.c.queryIn(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", integrityFaults), func(v []driver.Value) error {
		if fault := text(v[0]); fault != "ok" {
			k.Integrity = append(k.Integrity, fault)
		}
		return nil
	})
}

// readLanes reads the lanes and what they count, as a store does that opens.
func (k *checker) readLanes(context.Context) (err error) {
	if k.stored, err = k.c.tallies(); err != nil {
		return err
	}
	return k.c.query("SELECT id, profile, destination FROM lane", func(v []driver.Value) error {
		k.lanes[integer(v[0])] = queue.Lane{Profile: text(v[1]), Destination: text(v[2])}
		return nil
	})
}

// noTally stands for one that cannot be read: no lane counts so.
var noTally = tally{pending: -1}

// tallies reads what each lane counts.
func (c *conn) tallies() (map[int64]tally, error) {
	all, folded := map[int64]tally{}, map[int64]int64{}
	if err := c.query("SELECT id, tally, folded FROM lane", func(v []driver.Value) error {
		id := integer(v[0])
		all[id], folded[id] = tally{}, integer(v[2])
		if readTallies(blob(v[1]), func(_ int64, t tally) { all[id] = t }) != nil {
			all[id] = noTally
		}
		return nil
	}); err != nil {
		return nil, err
	}
	damaged := false
	err := c.query("SELECT n, tallies FROM journal ORDER BY n", func(v []driver.Value) error {
		fault := readTallies(blob(v[1]), func(id int64, t tally) {
			if at, known := folded[id]; known && integer(v[0]) > at {
				all[id] = t
			}
		})
		damaged = damaged || fault != nil
		return nil
	})
	if damaged {
		for id := range all {
			all[id] = noTally
		}
	}
	return all, err
}

// checkLogs looks at the attempts that are not in their messages.
func (k *checker) checkLogs(ctx context.Context) error {
	return k.c.queryIn(ctx, "SELECT m.seq, m.prefix, m.status, a.n, a.entry, m.logged FROM attempt AS a JOIN message AS m USING (seq)", func(v []driver.Value) error {
		if _, err := addAttempt(nil, integer(v[3]), blob(v[4])); !isDamaged(err) && integer(v[3]) < integer(v[5]) {
			return err
		}
		r := row{seq: integer(v[0]), prefix: integer(v[1]), status: status(integer(v[2]))}
		k.damaged(&r, fmt.Errorf("attempt %d of its log: %w", integer(v[3]), errDamaged), false)
		return nil
	})
}

// countOrphans counts what belongs to no message.
func (k *checker) countOrphans(ctx context.Context) error {
	for _, table := range []struct {
		name  string
		count *int64
	}{{"content", &k.OrphanContents}, {"attempt", &k.OrphanAttempts}} {
		query := "SELECT count(*) FROM " + table.name + " AS o WHERE NOT EXISTS (SELECT 1 FROM message WHERE seq = o.seq)"
		if err := k.c.queryIn(ctx, query, func(v []driver.Value) error {
			*table.count = integer(v[0])
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// compare compares what is kept beside the messages with them.
func (k *checker) compare() {
	var all tally
	for id, lane := range k.lanes {
		counted, stored := tally{}, k.stored[id]
		if t := k.counted[id]; t != nil {
			counted = *t
		}
		if counted != stored {
			k.Tallies = append(k.Tallies, lane)
		}
	}
	for _, t := range k.counted {
		all.plus(t, 1)
	}
	slices.SortFunc(k.Tallies, compareLanes)
	k.Counts = countsOf(&all)
	for _, holders := range k.turns {
		if holders != 1 {
			k.Turns++
		}
	}
}

package sqlitequeue

import (
	"context"
	"database/sql/driver"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// The names of the files in a store's directory, beside those that SQLite makes of
// the database's.
const (
	databaseName = "queue.db"
	lockName     = "queue.lock"
	reserveName  = "queue.reserve"
)

const (
	// leastSQLite is the first version without a fault that can lose a commit when
	// it meets a checkpoint (https://sqlite.org/wal.html#walresetbug).
	leastSQLite = "3.51.3"
	// applicationID marks the file as a queue: "Outr".
	applicationID = 0x4f757472
	readerCount   = 3
	// waitForOthers has a connection wait so many milliseconds where another has the
	// file for a moment: to recover the log, for one.
	waitForOthers = "PRAGMA busy_timeout = 10000"
)

//go:embed schema.sql
var schema string

//go:embed schema2.sql
var schema2 string

//go:embed schema3.sql
var schema3 string

// migrations take a database from one version to the next. The first is the
// schema. They are never changed once they are released.
func migrations() []string { return []string{schema, schema2, schema3} }

// Open opens the store in a directory: [New] and [Store.Open] in one.
func Open(ctx context.Context, dir string, options Options) (*Store, error) {
	s, err := New(dir, options)
	if err != nil {
		return nil, err
	}
	if err := s.Open(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Open opens the store, whose directory it makes where there is none. It takes up
// what it finds: every message that was accepted, and is not done. A store is
// opened once, or again after Open has failed.
//
// Errors: [queue.ErrLocked] when another process has the store; [ErrVersion] when
// a later version of the program has written it; [ErrForeign] when another program
// has; [ErrLogAlone] when the database is gone and its log is not; what SQLite says
// when the file is damaged.
func (s *Store) Open(ctx context.Context) (err error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.used {
		return errors.New("open store: it has been opened before")
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	if err := syncNames(s.dir); err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	if s.lock, err = lockDir(s.dir); err != nil {
		return err
	}
	if err := s.openFiles(ctx); err != nil {
		return errors.Join(fmt.Errorf("open store in %s: %w", s.dir, err), s.abandon())
	}
	s.ops = make(chan *op, maxOps)
	s.quit, s.ended = make(chan struct{}), make(chan struct{})
	s.pool = sync.Pool{New: func() any { return &op{done: make(chan struct{}, 1)} }}
	s.used = true
	s.mu.Lock()
	s.closed = nil
	s.mu.Unlock()
	go s.commit()
	return nil
}

// openFiles opens the database and reads what memory has to know.
func (s *Store) openFiles(ctx context.Context) (err error) {
	s.failed = nil
	s.full.Store(false)
	path := filepath.Join(s.dir, databaseName)
	s.keep = keeper{begun: true, reserve: fileSize(s.reservePath())}
	if s.writer, err = openDatabase(path); isFull(err) {
		s.becomeFull()
		s.giveReserve()
		s.writer, err = openDatabase(path)
	}
	if err != nil {
		return err
	}
	if err := s.writer.set("PRAGMA wal_autocheckpoint = 0", fmt.Sprintf("PRAGMA journal_size_limit = %d", longLogBytes)); err != nil { // see checkpoint
		return err
	}
	s.readers = make(chan *conn, readerCount)
	for range readerCount {
		reader, err := connect(path, "PRAGMA query_only = 1", "PRAGMA cache_size = -4096", waitForOthers)
		if err != nil {
			return err
		}
		s.readers <- reader
	}
	if err = s.restore(ctx); isFull(err) {
		s.makeRoom()
		err = s.restore(ctx)
	}
	if err != nil {
		return err
	}
	s.keepRoom(0)
	s.trimReserve()
	return nil
}

// abandon closes what Open has opened.
func (s *Store) abandon() error {
	faults := []error{s.lock.Close()}
	if s.writer != nil {
		faults = append(faults, s.writer.close())
	}
	for range len(s.readers) {
		faults = append(faults, (<-s.readers).close())
	}
	s.writer = nil
	return errors.Join(faults...)
}

func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // where the caller says
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	ok, err := lockFile(file)
	if err == nil && !ok {
		err = fmt.Errorf("%w: it is in %s", queue.ErrLocked, dir)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// openDatabase opens the writing connection, checks that commits are durable on
// it, and brings the schema up to date.
func openDatabase(path string) (c *conn, err error) {
	if err := checkLogAlone(path); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // where the caller says. SQLite would ask the umask; the other files follow this one
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	settings := []string{waitForOthers}
	if info.Size() == 0 { // it says something for a new file only, and only if it comes first; it would be written into others
		settings = append([]string{"PRAGMA auto_vacuum = INCREMENTAL"}, settings...)
	}
	if c, err = connect(path, settings...); err != nil {
		return nil, err
	}
	if err := c.prepareFile(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// prepareFile makes the settings of the writing connection, some of which are in
// the file, and brings the schema up to date. A file that is not the store's, or
// of a later version, is left as it was.
func (c *conn) prepareFile() error {
	version, err := c.schemaVersion()
	if err != nil {
		return err
	}
	if err := c.set("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cache_size = -32768",
		"PRAGMA wal_autocheckpoint = 4000", "PRAGMA trusted_schema = 0"); err != nil {
		return err
	}
	if err := c.checkSettings(); err != nil {
		return err
	}
	return c.migrate(version)
}

// checkSettings makes sure that what was asked for is so.
func (c *conn) checkSettings() error {
	for _, setting := range []struct{ query, want string }{
		{"PRAGMA journal_mode", "wal"},
		{"PRAGMA synchronous", "2"},
	} {
		if got, err := c.text(setting.query); err != nil || got != setting.want {
			return errors.Join(fmt.Errorf("%s is %s, and must be %s for what is accepted to be durable", setting.query, got, setting.want), err)
		}
	}
	version, err := c.text("SELECT sqlite_version()")
	if err == nil && !atLeast(version, leastSQLite) {
		err = fmt.Errorf("the SQLite in this program is %s: it can lose messages before %s", version, leastSQLite)
	}
	return err
}

// atLeast compares versions of three numbers.
func atLeast(version, least string) bool {
	have, want := strings.Split(version, "."), strings.Split(least, ".")
	for i := range min(len(have), len(want)) {
		a, _ := strconv.Atoi(have[i]) // no number is 0
		b, _ := strconv.Atoi(want[i]) // as above
		if a != b {
			return a > b
		}
	}
	return len(have) >= len(want)
}

// ErrVersion says that the store was written by a later version of the program.
var ErrVersion = errors.New("store was written by a later version of the program: use that one")

// ErrForeign says that the file is no store, but the database of another program.
var ErrForeign = errors.New("file is another program's database")

// ErrLogAlone says that there is the write-ahead log of a database, which may have
// messages that were accepted, and not the database.
var ErrLogAlone = errors.New("database is gone, and its log is not")

// checkLogAlone makes sure that a database which is not there, or is empty, has no
// log. SQLite would take the database for a new one, and remove the log.
func checkLogAlone(path string) error {
	sizes := [2]int64{}
	for i, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		switch {
		case err == nil:
			sizes[i] = info.Size()
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if sizes[0] > 0 || sizes[1] == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s-wal has messages that are in no other file, and can be read beside its own database alone: put %s back where it was; "+
		"or, to do without what was accepted, move the log to another directory", ErrLogAlone, path, filepath.Base(path))
}

// schemaVersion returns the version of the schema, which is 0 in a new file. It
// refuses what this program cannot use, and changes nothing.
func (c *conn) schemaVersion() (int, error) {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return 0, err
	}
	tables, err := c.number("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, err
	}
	known := len(migrations())
	switch {
	case id != applicationID && (id != 0 || version != 0 || tables != 0):
		return 0, fmt.Errorf("%w (application id %#x, and a store's is %#x): choose another directory", ErrForeign, id, applicationID)
	case version > int64(known):
		return 0, fmt.Errorf("%w (it has schema version %d, and this program knows those up to %d)", ErrVersion, version, known)
	}
	return int(version), nil
}

// migrate brings the schema up to date, each step in a transaction.
func (c *conn) migrate(version int) error {
	for n, step := range migrations()[version:] {
		next := version + n + 1
		if err := c.script(fmt.Sprintf("BEGIN IMMEDIATE;\n%s;\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;\nCOMMIT", step, applicationID, next)); err != nil {
			return fmt.Errorf("bring the schema to version %d: %w", next, err)
		}
	}
	return nil
}

// restore makes memory what it was when the store was closed, or crashed.
func (s *Store) restore(ctx context.Context) error {
	s.memory = memory{
		lanes: map[queue.Lane]*lane{}, byID: map[int64]*lane{}, items: map[int64]*item{}, fresh: map[int64]*item{},
		turns: map[turnKey]turn{}, barred: map[int64]uint64{}, token: uint64(time.Now().UnixNano()), // after 1970
	}
	s.keep = keeper{reserve: s.keep.reserve, cutAt: s.keep.cutAt, unfolded: map[*lane]struct{}{}, batches: map[*batch]struct{}{}, unreadable: map[turnKey][]int64{}, known: knownKeys{lifetime: s.options.KeyLifetime, max: s.options.MaxKeys, seqs: map[uint64]int64{}}}
	for _, step := range []func() error{
		s.restoreTick, s.restoreLanes, s.restoreTallies, s.restoreRuns, s.restoreAccepted, s.restoreIDs, s.restoreLevels, s.restoreKeys,
		s.restoreMarked,
	} {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) restoreLanes() error {
	return s.writer.query("SELECT id, profile, destination, tally, state FROM lane", func(v []driver.Value) error {
		l := s.addLane(queue.Lane{Profile: text(v[1]), Destination: text(v[2])}, integer(v[0]))
		if err := readTallies(blob(v[3]), func(_ int64, t tally) { l.tally = t }); err != nil {
			return err
		}
		if state := text(v[4]); state != "" {
			if err := json.Unmarshal([]byte(state), &l.state); err != nil {
				return fmt.Errorf("state of lane %s: %w", l.key.Destination, err)
			}
			l.state.Lane = l.key
		}
		return nil
	})
}

// restoreTallies brings the lanes' tallies up to the last commit.
func (s *Store) restoreTallies() error {
	folded := map[int64]int64{}
	if err := s.writer.query("SELECT id, folded FROM lane", func(v []driver.Value) error {
		folded[integer(v[0])] = integer(v[1])
		return nil
	}); err != nil {
		return err
	}
	err := s.writer.query("SELECT n, tallies FROM journal ORDER BY n", func(v []driver.Value) error {
		n := integer(v[0])
		return readTallies(blob(v[1]), func(id int64, t tally) {
			if l := s.byID[id]; l != nil && n > folded[id] {
				l.tally = t
				s.keep.unfolded[l] = struct{}{}
			}
		})
	})
	for _, l := range s.lanes {
		s.total.plus(&l.tally, 1)
	}
	return err
}

// restoreTick has the clock go on from where it was.
func (s *Store) restoreTick() error {
	tick, err := s.writer.number("SELECT value FROM setting WHERE name = 'tick'")
	s.clock.continueFrom(tick)
	return err
}

// restoreIDs has new ids come after all that were made. The first transaction after
// that saves where they begin.
func (s *Store) restoreIDs() error {
	saved, err := s.writer.number("SELECT value FROM setting WHERE name = 'latest'")
	if err != nil {
		return err
	}
	prefix, err := s.writer.number("SELECT value FROM setting WHERE name = 'prefix'")
	if err != nil {
		return err
	}
	highest, err := s.writer.number("SELECT max(seq) FROM message")
	if err != nil {
		return err
	}
	for _, r := range s.runs {
		highest = max(highest, r.high)
	}
	s.keep.latest = max(saved, highest) + idMargin
	s.ids.startAfter(idOf(prefix, s.keep.latest))
	s.keep.begun = false
	return nil
}

// restoreLevels counts what waits, and finds out when it is due.
func (s *Store) restoreLevels() error {
	expiring, err := s.writer.number("SELECT count(*) FROM (SELECT 1 FROM message INDEXED BY expiry WHERE expires > 0 AND status < 4 LIMIT 1)")
	if err != nil {
		return err
	}
	return s.writer.query("SELECT lane, level, count(*), min(due) FROM message INDEXED BY wait WHERE status = 1 GROUP BY lane, level",
		func(v []driver.Value) error {
			l := s.byID[integer(v[0])]
			n := int(integer(v[1]))
			if l == nil || n < 0 || n >= levels {
				return fmt.Errorf("%w: a message waits in lane %d, level %d, which is not there", errDamaged, integer(v[0]), n)
			}
			l.levels[n].waiting, l.levels[n].next.due = int(integer(v[2])), max(1, integer(v[3]))
			l.levels[n].stale = expiring > 0 // some of them may never be due
			return nil
		})
}

func (s *Store) restoreKeys() error {
	now := s.clock.now()
	return s.writer.query("SELECT n, at, pairs FROM keys ORDER BY n", func(v []driver.Value) error {
		s.keep.known.add(keyRun{n: integer(v[0]), at: integer(v[1]), pairs: blob(v[2])}, now)
		return nil
	})
}

// restoreMarked finds what was cancelled while it was leased: its lease has ended.
func (s *Store) restoreMarked() error {
	return s.writer.rows("INDEXED BY marked WHERE flags > 0 AND status < 4 AND flags & 1", func(r row) error {
		it := &item{row: r, lane: s.laneAt(r.lane), marked: true}
		if r.status == waiting {
			it.lane.levels[r.level].residents++
		}
		s.keepItem(it)
		s.putOverdue(it)
		return nil
	})
}

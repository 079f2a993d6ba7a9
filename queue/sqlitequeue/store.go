package sqlitequeue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// Defaults of [Options].
const (
	DefaultKeyLifetime = 24 * time.Hour
	DefaultMaxKeys     = 1_000_000
	DefaultWindow      = 4096
	DefaultWindowBytes = 64 << 20
)

// Options of a [Store]. The zero value works.
type Options struct {
	// KeyLifetime is how long an idempotency key is known after its message was
	// enqueued, whether or not the record is kept as long. Default: a day.
	KeyLifetime time.Duration
	// MaxKeys bounds the keys that are known: the latest. A key takes about 55 bytes
	// of memory, and once its record is gone some 50 on disk. Default: a million.
	MaxKeys int
	// Window is how many due messages of one lane and priority are in memory; the
	// others are read from the database when it is their turn. Default: 4096.
	Window int
	// WindowBytes bounds all messages that are due and in memory, each of which takes
	// a KiB beside its content. Default: 64 MiB.
	WindowBytes int64
	// OnFault is told what went wrong where no caller can be: the disk is full, or
	// has failed, or a message or a part of the file is damaged. It must not call the
	// store. Default: nobody is told.
	OnFault func(error)
}

func (o *Options) setDefaults() error {
	var faults []error
	if o.KeyLifetime < 0 {
		faults = append(faults, errors.New("KeyLifetime is negative"))
	}
	if o.MaxKeys < 0 || o.Window < 0 || o.WindowBytes < 0 {
		faults = append(faults, errors.New("MaxKeys, Window or WindowBytes is negative: 0 is the default"))
	}
	if o.KeyLifetime == 0 {
		o.KeyLifetime = DefaultKeyLifetime
	}
	if o.MaxKeys == 0 {
		o.MaxKeys = DefaultMaxKeys
	}
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if o.WindowBytes == 0 {
		o.WindowBytes = DefaultWindowBytes
	}
	if o.OnFault == nil {
		o.OnFault = func(error) {}
	}
	return errors.Join(faults...)
}

// Store is a queue.Store in a directory of its own.
type Store struct {
	options Options
	dir     string
	lock    *os.File
	clock   clock
	ids     ids
	writer  *conn // the committer's
	readers chan *conn
	ops     chan *op
	convoy  convoy        // the committer's own
	pool    sync.Pool     // of *op
	quit    chan struct{} // closed when no call is under way any more
	ended   chan struct{} // closed by the committer
	users   sync.WaitGroup
	keep    keeper // the committer's own
	full    atomic.Bool
	merging sync.RWMutex // held for reading by those who read the history by what memory knows of it

	opening sync.Mutex // held by Open
	used    bool       // it has been open; guarded by opening

	mu     sync.Mutex
	closed error // why the store is: it has been closed, or not been opened; nil: it is open
	failed error // why the store takes nothing any more
	memory
}

var _ queue.Store = (*Store)(nil)

var errNotOpen = fmt.Errorf("%w: Open has not been called", queue.ErrClosed)

// New returns the store in a directory. It opens nothing: until Open, its methods
// return queue.ErrClosed.
func New(dir string, options Options) (*Store, error) {
	if dir == "" {
		return nil, errors.New("sqlitequeue.New: the directory is missing")
	}
	if err := options.setDefaults(); err != nil {
		return nil, fmt.Errorf("sqlitequeue.New: %w", err)
	}
	absolute, err := filepath.Abs(dir) // it stays the same when the process changes its own
	if err != nil {
		return nil, fmt.Errorf("sqlitequeue.New: %w", err)
	}
	return &Store{options: options, dir: absolute, clock: newClock(), closed: errNotOpen}, nil
}

// memory is what the store knows without its database.
type memory struct {
	lanes    map[queue.Lane]*lane
	byID     map[int64]*lane
	sorted   []*lane // by name; nil: to be made
	items    map[int64]*item
	fresh    map[int64]*item // of the items
	leases   leaseHeap
	overdue  list
	runs     []run // of what is delivered, oldest first
	turns    map[turnKey]turn
	total    tally
	bytes    int64 // of the items, itemBytes for each included
	token    uint64
	loads    int              // under way
	barred   map[int64]uint64 // seqs that a load must leave alone which began before that change
	changes  uint64
	stirred  []int64 // barred by the transaction under way: until it ends
	stirring bool    // the committer is ending rows that are not leased
	damage   error   // why a part of the file cannot be read
}

// NewID implements queue.Store. Each id is greater than all before it.
func (s *Store) NewID() transport.ID { return s.ids.next() }

// Wake implements queue.Store: no other process sees this store.
func (s *Store) Wake() <-chan struct{} { return nil }

// Health implements queue.Store.
func (s *Store) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed != nil:
		return s.closed
	case s.failed != nil:
		return s.failed
	case s.full.Load():
		return fmt.Errorf("%w: no room on the disk of %s", queue.ErrStoreFull, s.dir)
	}
	return s.damage
}

// Capabilities implements queue.Store.
func (s *Store) Capabilities() queue.Capabilities { return queue.Capabilities{Durable: true} }

// Close implements queue.Store. It waits for the calls that are under way.
func (s *Store) Close(context.Context) error {
	s.mu.Lock()
	if err := s.closed; err != nil {
		s.mu.Unlock()
		return err
	}
	s.closed = queue.ErrClosed
	s.mu.Unlock()
	s.users.Wait()
	close(s.quit)
	<-s.ended
	return s.release()
}

// release closes the files. The write-ahead log is left empty.
func (s *Store) release() error {
	var faults []error
	for range cap(s.readers) {
		faults = append(faults, (<-s.readers).close())
	}
	faults = append(faults, s.writer.close(), s.lock.Close())
	return errors.Join(faults...)
}

// enter begins a call that only needs memory: it locks the store and brings it up
// to the instant it returns. The caller unlocks it unless there is an error.
func (s *Store) enter(ctx context.Context) (instant, error) {
	if err := ctx.Err(); err != nil {
		return instant{}, err
	}
	s.mu.Lock()
	if err := s.closed; err != nil {
		s.mu.Unlock()
		return instant{}, err
	}
	now := s.clock.now()
	s.endLeases(now)
	return now, nil
}

// use begins a call that needs the database; the caller calls users.Done when it
// ends, unless there is an error.
func (s *Store) use(ctx context.Context) (instant, error) {
	now, err := s.enter(ctx)
	if err != nil {
		return instant{}, err
	}
	s.users.Add(1)
	s.mu.Unlock()
	return now, nil
}

// read runs a function on a connection that sees all that is committed.
func (s *Store) read(do func(*conn) error) error {
	c := <-s.readers
	defer func() { s.readers <- c }()
	err := do(c)
	s.foundDamage(err)
	return err
}

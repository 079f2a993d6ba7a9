package memqueue

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// scanStep is how many records are looked at before the mutex is given back.
const scanStep = 1000

// Defaults of [Options].
const (
	DefaultKeyLifetime = 24 * time.Hour
	DefaultMaxKeys     = 1_000_000
)

// Options limits what a store keeps. The zero value works.
type Options struct {
	// MaxMessages is the most messages that are not done. Default: no limit.
	MaxMessages int
	// MaxBytes is the most bytes of messages (as queue.Message.Size counts) that
	// have their payload: all but the delivered ones. Default: no limit.
	MaxBytes int64
	// KeyLifetime is how long an idempotency key is known after its message was
	// enqueued, by the wall clock, whether or not the record is kept as long. Default:
	// a day.
	KeyLifetime time.Duration
	// MaxKeys bounds the keys that are known: the latest. A key takes about 160 bytes
	// beside its text. Default: a million.
	MaxKeys int
}

func (o *Options) setDefaults() {
	if o.KeyLifetime == 0 {
		o.KeyLifetime = DefaultKeyLifetime
	}
	if o.MaxKeys == 0 {
		o.MaxKeys = DefaultMaxKeys
	}
}

func (o Options) validate() error {
	var faults []error
	if o.MaxMessages < 0 {
		faults = append(faults, errors.New("MaxMessages is negative: 0 does not limit"))
	}
	if o.MaxBytes < 0 {
		faults = append(faults, errors.New("MaxBytes is negative: 0 does not limit"))
	}
	if o.KeyLifetime < 0 {
		faults = append(faults, errors.New("KeyLifetime is negative: 0 is a day"))
	}
	if o.MaxKeys < 0 {
		faults = append(faults, errors.New("MaxKeys is negative: 0 is a million"))
	}
	return errors.Join(faults...)
}

// Store is a queue.Store in memory. It starts no goroutines.
type Store struct {
	options Options
	clock   clock
	ids     ids

	mu     sync.Mutex
	closed bool
	contents
}

var _ queue.Store = (*Store)(nil)

// contents is what a store lets go of when it is closed.
type contents struct {
	index ordered[transport.ID, *item] // all records
	keys  keys
	lanes table[queue.Lane, *lane]                // that have records
	busy  ordered[queue.Lane, *lane]              // that have work; Due drops the others
	state states                                  // what SetLane was told
	ended [placeExpired - placeDelivered + 1]list // by result, in the order of ending
	held  [placeExpired + 1]int64                 // bytes in each of those places

	seats     seats            // of leased items
	leasing   heap[*lane]      // lanes with leases, by the first that runs out
	expiring  heap[byExpiry]   // unleased items that expire
	deadlines heap[byDeadline] // leased items that expire, or are cancelled
	overdue   list             // items that Expire is to end

	waiting int   // messages that are not done
	bytes   int64 // of messages that have their payload
}

func newContents() contents {
	return contents{
		index: ordered[transport.ID, *item]{key: func(it *item) transport.ID { return it.id }, compare: compareIDs},
		busy:  ordered[queue.Lane, *lane]{key: func(l *lane) queue.Lane { return l.key }, compare: compareLanes},
	}
}

// compareIDs orders ids as bytes.Compare does, in two words.
func compareIDs(a, b transport.ID) int {
	if c := cmp.Compare(binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(b[:8])); c != 0 {
		return c
	}
	return cmp.Compare(binary.BigEndian.Uint64(a[8:]), binary.BigEndian.Uint64(b[8:]))
}

// New returns an empty store.
func New(options Options) (*Store, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	options.setDefaults()
	return &Store{options: options, clock: newClock(), ids: newIDs(), contents: newContents()}, nil
}

// NewID implements queue.Store. Each id is greater than all before it.
func (s *Store) NewID() transport.ID { return s.ids.next() }

// Wake implements queue.Store: no other process sees this store.
func (s *Store) Wake() <-chan struct{} { return nil }

// Health implements queue.Store.
func (s *Store) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return queue.ErrClosed
	}
	return s.room(1) // no message is shorter, but for an empty one
}

// Capabilities implements queue.Store.
func (s *Store) Capabilities() queue.Capabilities { return queue.Capabilities{} }

// Close implements queue.Store. It waits for nothing and forgets all records.
func (s *Store) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return queue.ErrClosed
	}
	s.closed = true
	s.contents = contents{}
	return nil
}

// enter begins a call: it locks the store and brings it up to the instant it
// returns. The caller unlocks it unless there is an error.
func (s *Store) enter(ctx context.Context) (instant, error) {
	if err := ctx.Err(); err != nil {
		return instant{}, err
	}
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return instant{}, queue.ErrClosed
		}
		now := s.clock.now() // read under the lock, so that lists stay in order
		if s.sweep(now, scanStep) {
			return now, nil
		}
		s.mu.Unlock()
	}
}

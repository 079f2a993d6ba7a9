package sealqueue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

// ErrNotSealed says that the message was kept in the clear, and that
// Options.SealedOnly is set.
var ErrNotSealed = errors.New("message is not sealed")

// Options of a [Store]. The zero value works.
type Options struct {
	// SealedOnly has messages that were not sealed end as dead, not delivered: for
	// a store that was sealed from its beginning, or whose old messages are gone.
	// Default: they are delivered.
	SealedOnly bool
	// OnUnreadable is told of each message that was leased and could not be opened.
	// It is called from Lease, with no lock held, and is to return soon. Default:
	// nobody is told; the message's log has it.
	OnUnreadable func(Unreadable)
}

// Unreadable is a message that could not be opened.
type Unreadable struct {
	ID       transport.ID
	Lane     queue.Lane
	Endpoint string // redacted
	// Err says why, and why the outcome could not be recorded where that is so.
	Err error
	// Ended says that the message is dead now; else it is leased again later.
	Ended bool
}

// Store is a queue.Store that seals what another one keeps. It starts no
// goroutines. Close closes the store inside.
type Store struct {
	queue.Store // inside
	keys        *keyring.Keyring
	options     Options
	papers      sync.Pool
	leased      leasedProfiles
	ended       endedRecords
}

var _ queue.Store = (*Store)(nil)

// New puts a seal around a store.
func New(store queue.Store, keys *keyring.Keyring, options Options) (*Store, error) {
	if store == nil || keys == nil {
		return nil, errors.New("seal a store: want a store and a keyring")
	}
	s := &Store{Store: store, keys: keys, options: options}
	s.papers.New = func() any { return &paper{keys: keys} }
	return s, nil
}

func (s *Store) takePaper() *paper {
	return s.papers.Get().(*paper) //nolint:forcetypeassert // the pool holds nothing else
}

func (s *Store) givePaper(p *paper) {
	p.wipe()
	if !p.large() {
		s.papers.Put(p)
	}
}

// Enqueue implements queue.Store. The key of a profile that has none is made, and
// on disk, before its first message is kept.
func (s *Store) Enqueue(ctx context.Context, batch []queue.Message) ([]queue.Enqueued, error) {
	p := s.takePaper()
	defer s.givePaper(p)
	p.batch = append(p.batch, batch...) // the sender's stay as they are
	for i := range p.batch {
		m := &p.batch[i]
		if err := checkTargets(m); err != nil {
			return nil, fmt.Errorf("enqueue: message %d of the batch: %w", i+1, err)
		}
		key, err := s.keys.Active(ctx, m.Lane.Profile)
		if err != nil {
			return nil, fmt.Errorf("enqueue: seal message %d of the batch: %w", i+1, err)
		}
		p.sealMessage(m, key)
	}
	return s.Store.Enqueue(ctx, p.batch)
}

// checkTargets refuses targets of another profile, which has other keys.
func checkTargets(m *queue.Message) error {
	for i := range m.Targets {
		if m.Targets[i].Lane.Profile != m.Lane.Profile {
			return fmt.Errorf("target %d is of profile %q, and the message of %q", i+1, m.Targets[i].Lane.Profile, m.Lane.Profile)
		}
	}
	return nil
}

// Get implements queue.Store. Without payload it needs no keys: a URI that cannot
// be opened is left empty. With payload that is an error, which names the message.
func (s *Store) Get(ctx context.Context, ids []transport.ID, withPayload bool) ([]queue.Record, error) {
	records, err := s.Store.Get(ctx, ids, withPayload)
	if err != nil || !withPayload {
		s.openRecords(ctx, records)
		return records, err
	}
	p := s.takePaper()
	defer s.givePaper(p)
	for i := range records {
		if err := openRecord(ctx, p, &records[i]); err != nil {
			return nil, fmt.Errorf("open message %s: %w", records[i].ID, err)
		}
	}
	return records, nil
}

// openRecord opens a record, also one whose payload the store has let go.
func openRecord(ctx context.Context, p *paper, r *queue.Record) error {
	switch {
	case !isSealed(r.URI):
		return nil
	case r.Result == queue.Delivered && len(r.Payload) == 0:
		return p.openAddresses(ctx, &r.Message)
	default:
		return p.openMessage(ctx, &r.Message)
	}
}

// openRecords puts the URIs back into records without payload.
func (s *Store) openRecords(ctx context.Context, records []queue.Record) {
	if len(records) == 0 {
		return
	}
	p := s.takePaper()
	defer s.givePaper(p)
	for i := range records {
		m := &records[i].Message
		if isSealed(m.URI) && p.openAddresses(ctx, m) != nil {
			hide(m)
		}
	}
}

// List implements queue.Store. Like Get without payload, it needs no keys.
func (s *Store) List(ctx context.Context, q queue.Query) (queue.Page, error) {
	page, err := s.Store.List(ctx, q)
	s.openRecords(ctx, page.Records)
	return page, err
}

// Cancel implements queue.Store. It needs no keys.
func (s *Store) Cancel(ctx context.Context, q queue.Query) (queue.Page, error) {
	page, err := s.Store.Cancel(ctx, q)
	s.openRecords(ctx, page.Records)
	return page, err
}

// Replay implements queue.Store. It needs no keys: a message that cannot be opened
// ends as dead again.
func (s *Store) Replay(ctx context.Context, q queue.Query) (queue.Page, error) {
	page, err := s.Store.Replay(ctx, q)
	s.openRecords(ctx, page.Records)
	return page, err
}

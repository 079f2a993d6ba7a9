package queue

import (
	"context"
	"errors"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// The errors of a store.
var (
	// ErrNotFound: no record has that id.
	ErrNotFound = errors.New("message not found")
	// ErrLeaseLost: the lease was settled, ran out, or the record was cancelled.
	ErrLeaseLost = errors.New("lease lost")
	// ErrLocked: another process has the store.
	ErrLocked = errors.New("store is locked by another process")
	// ErrStoreFull: there is no room to keep another message.
	ErrStoreFull = errors.New("store is full")
	// ErrStoreFailed: the store no longer knows what is on its disk, after a write
	// that failed. It stays so until it is opened again.
	ErrStoreFailed = errors.New("store has failed: look after its disk, then start again")
	// ErrStoreDamaged: a part of what the store keeps cannot be read. All
	// else is delivered, and new messages are kept, but for those which that part
	// decides on: one with the idempotency key of a message in it, say.
	ErrStoreDamaged = errors.New("store is damaged")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("store is closed")
)

// Store keeps records. Package queuetest holds the suite that every store
// passes; it is the contract where this text is silent.
type Store interface {
	// NewID returns an id for a message to enqueue. It does no I/O. A store may
	// put into the id what it needs to find the record without an index.
	NewID() transport.ID

	// Enqueue keeps all messages of the batch, or none: once it returns nil they
	// are as durable as the store is. The results are in the order of the batch.
	// A message whose profile and idempotency key are known (from before, or from
	// earlier in the batch) is not kept: its result names the known one. So is one
	// whose id is that of a record, which makes it safe to repeat a call that failed.
	// A key is known for its lifetime, which begins when its message is enqueued and
	// is an option of the store, whether or not the record is still there. A store may
	// bound how many it knows, and then forgets those first that were enqueued first.
	Enqueue(ctx context.Context, batch []Message) ([]Enqueued, error)

	// Due lists lanes that have work, now or later, in a stable order after the
	// lane given, at most limit. It may be a moment old: it is a hint.
	Due(ctx context.Context, after Lane, limit int) ([]LaneDue, error)

	// Lease takes up to Max messages from each lane of the request, those due
	// longest first, for the request's TTL, and appends them to into. Those whose
	// lease ran out come before the others. It never takes one that is leased,
	// expired, cancelled, parked or not yet due, but for Early. For each budget it
	// sets NextAt.
	//
	// Before that, of those that are due a higher Priority goes first; but after
	// eight in a row of one priority, while one of a lower is due, one of the next
	// lower comes. A row goes on over calls, and one of a higher priority does not
	// break it, so that nothing is starved.
	//
	// Of the messages with one OrderingKey in a lane, one has the turn: only that
	// one is ever leased or due, and the others are no work of their lane. It keeps
	// the turn until it ends, is parked, moves to another lane, or is settled with
	// Outcome.Skip. Then, or when a message joins a key in which none has it, the
	// turn goes to the one with the smallest id; one that was skipped stands aside
	// until it is due. What has expired has not ended before Expire ends it. Priority
	// does not change the order within a key.
	Lease(ctx context.Context, req LeaseRequest, into []Leased) ([]Leased, error)

	// Extend renews leases. The slice has an error per lease (ErrLeaseLost) and
	// is nil when there is none.
	Extend(ctx context.Context, leases []LeaseRef, ttl time.Duration) ([]error, error)

	// Settle ends leases with outcomes, one after the other. The slice has an error
	// per outcome (ErrLeaseLost) and is nil when there is none. A record that was
	// cancelled while leased ends as cancelled where the verdict is Retry, Release or
	// Park.
	Settle(ctx context.Context, outcomes []Outcome) ([]error, error)

	// Expire ends up to limit unleased records: as cancelled, those that were
	// cancelled while leased and whose lease has run out; as expired, those whose
	// ExpiresAt has passed. It returns them, and those that Lease has ended since
	// (see [Budget].Ended), without payload (Record.Result says which), with the instant at which it has something to end again (zero: never;
	// in the past: there is more now). One that is leased counts with the end of its
	// lease, and where it is not cancelled, with ExpiresAt if that is later.
	Expire(ctx context.Context, limit int) (ended []Record, next time.Time, err error)

	// Get returns the records with those ids, in their order, leaving out ids
	// that are not known. Payload, Metadata and all URIs are left out unless
	// withPayload; of a delivered record a store has mostly let go of them.
	Get(ctx context.Context, ids []transport.ID, withPayload bool) ([]Record, error)

	// Attempts returns the message's log, oldest first. A store may cap it and
	// then drops from the middle: the first and the latest entries stay.
	// ErrNotFound when the id is not known.
	Attempts(ctx context.Context, id transport.ID) ([]Attempt, error)

	// List returns a page of records, without what Get leaves out, in the order of
	// their ids.
	List(ctx context.Context, q Query) (Page, error)

	// Cancel ends, as cancelled, a page of the records that q selects and that
	// are not done, and returns those: as they are now. One that is leased is
	// marked, stays leased, and is cancelled when its attempt did not succeed. When
	// its lease runs out, Expire alone ends it, so that its end is told; until then
	// it is shown as pending or retry with no NextAt, is never leased again, and is
	// no work of its lane. To cancel it again changes nothing.
	Cancel(ctx context.Context, q Query) (Page, error)

	// Replay makes a page of the records that q selects and that are done but not
	// delivered pending again, under their old ids, with no attempts counted, and
	// returns them. One whose ExpiresAt has passed gets none.
	Replay(ctx context.Context, q Query) (Page, error)

	// Stats counts records, in total, by profile or by lane.
	Stats(ctx context.Context, by Grouping) ([]Backlog, error)

	// SetLane keeps the state of a lane; the zero state forgets it, as does one
	// whose PausedUntil has passed and that has no FailingSince.
	SetLane(ctx context.Context, state LaneState) error

	// Lanes lists the states that hold now: a pause whose time is over is
	// forgotten, and so is its reason. A store drops such states by itself. One with
	// a FailingSince holds as it was set, also when its pause is over.
	Lanes(ctx context.Context) ([]LaneState, error)

	// Purge removes up to limit records that r no longer wants kept, those that
	// ended longest ago first, and says whether there are more.
	Purge(ctx context.Context, r Retention, limit int) (removed int, more bool, err error)

	// Wake returns a channel that receives when another process may have added
	// or changed work. It is a hint, and nil for a store with one process.
	Wake() <-chan struct{}

	// Health says, without I/O, why the store should be given no message now:
	// ErrStoreFailed, ErrStoreFull or ErrClosed, and it would keep none; or
	// ErrStoreDamaged; nil: all is well.
	Health() error

	// Capabilities says what the store promises.
	Capabilities() Capabilities

	// Close gives back what the store holds. Later calls return ErrClosed.
	Close(ctx context.Context) error
}

// Enqueued is the result for one message of a batch.
type Enqueued struct {
	ID        transport.ID
	Duplicate bool
	// Status is the status of the record ID names: for a duplicate, that of the
	// one known before; where that was removed, the one it had last.
	Status string
}

// LaneDue is a lane with work.
type LaneDue struct {
	Lane   Lane
	NextAt time.Time // when its first message is due; in the past: now
}

// LeaseRequest asks for work.
type LeaseRequest struct {
	TTL     time.Duration // how long the leases live
	Budgets []Budget
}

// Budget is what may be taken from one lane.
type Budget struct {
	Lane Lane
	Max  int // messages
	// Early takes, where nothing is due, also those that wait for another attempt,
	// the one due soonest first. It never takes one before its first attempt, nor one
	// that stands aside in its ordering key.
	Early bool
	// NextAt is set by Lease: when the lane has its next message; one that is
	// leased counts with the end of its lease. Zero: it has none. Not after now: it
	// has more than Max.
	NextAt time.Time
	// Ended is set by Lease: how many messages it took from the lane and ended,
	// because they cannot be read. Expire returns them, so that their end is told.
	Ended int
}

// LeaseRef names a lease. The token fences: an old one settles nothing.
type LeaseRef struct {
	ID    transport.ID
	Token uint64
}

// Leased is a message that its receiver alone may attempt. Its payload, metadata
// and targets may be the store's own: they are to be read only.
type Leased struct {
	Message
	Token    uint64
	Attempt  int // number of this attempt since the message was queued, from 1
	Replays  int
	QueuedAt time.Time
}

// Ref names the lease.
func (l *Leased) Ref() LeaseRef { return LeaseRef{ID: l.ID, Token: l.Token} }

// Verdict is what becomes of a leased record.
type Verdict uint8

// The verdicts.
const (
	VerdictDelivered Verdict = iota + 1
	VerdictRetry             // due again at At
	VerdictDead
	VerdictExpired
	VerdictRelease // due again at At, and the attempt does not count
	VerdictPark    // kept until it is picked up; never due
)

// Outcome settles one lease.
type Outcome struct {
	LeaseRef
	Verdict Verdict
	// At is when the record is due again; zero is now.
	At time.Time
	// Target is the index of the message's target in turn from now on: the record
	// moves to that one's lane. It says nothing for a message without Targets. Only
	// Retry and Release move.
	Target int
	// Skip, with Retry, gives up the turn in the ordering key until At.
	Skip bool
	// Status is the new OutboundSendStatus; empty keeps the old one.
	Status string
	// Attempt is logged, if not nil. The store sets its N.
	Attempt *Attempt
	// Result is set by Settle: how the record ended, empty when it did not.
	Result Result
}

// Query selects records. The zero value selects all; every field that is set
// narrows the selection.
type Query struct {
	IDs         []transport.ID
	Profile     string
	Destination string
	Endpoint    string // the redacted text, whole; with Destination a store finds it sooner
	States      []State
	Results     []Result
	Since       time.Time // updated at or after
	Until       time.Time // updated before

	Descending bool         // newest id first
	After      transport.ID // the last id of the page before
	Limit      int          // 1 to MaxPage; 0 is DefaultPage
}

// Sizes of a page.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// PageLimit returns the limit in force.
func (q *Query) PageLimit() int {
	if q.Limit <= 0 {
		return DefaultPage
	}
	return min(q.Limit, MaxPage)
}

// Page is part of an answer.
type Page struct {
	Records []Record
	// Next goes into Query.After for the next page; zero: this was the last.
	Next transport.ID
}

// Grouping says by what to count.
type Grouping uint8

// The groupings.
const (
	ByTotal Grouping = iota
	ByProfile
	ByLane
)

// Backlog is the count of one group.
type Backlog struct {
	Lane      Lane // what was grouped by; the rest is empty
	Pending   int64
	Deliver   int64
	Retry     int64
	Delivered int64
	Dead      int64
	Cancelled int64
	Expired   int64
	Bytes     int64     // of the messages that are not done
	Oldest    time.Time // QueuedAt of the oldest that is not done
	Estimate  bool      // the counts may be a little off
}

// Waiting is how many messages are not done.
func (b *Backlog) Waiting() int64 { return b.Pending + b.Deliver + b.Retry }

// LaneState is what is kept about a lane beyond its messages.
type LaneState struct {
	Lane Lane
	// PausedUntil holds the lane until then. Forever means until it is resumed.
	PausedUntil time.Time
	Reason      string
	// FailingSince is when the destination began to fail, where it does.
	FailingSince time.Time
}

// Forever is a PausedUntil that does not pass.
var Forever = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// IsZero reports whether the state says nothing.
func (s *LaneState) IsZero() bool {
	return s.PausedUntil.IsZero() && s.Reason == "" && s.FailingSince.IsZero()
}

// Retention says which done records with one result are no longer wanted: those
// that ended before Before, all but the Keep that ended last, and all but those
// that ended last and fit into Bytes together. A zero field does not limit.
type Retention struct {
	Result Result
	Before time.Time
	Keep   int
	// Bytes is compared with the sum of Record.Bytes. Delivered records count
	// nothing: they are not replayed, so that a store lets go of their payloads.
	Bytes int64
}

// Capabilities says what a store promises.
type Capabilities struct {
	Durable bool // survives the end of the process
	Shared  bool // several processes may use it at once
}

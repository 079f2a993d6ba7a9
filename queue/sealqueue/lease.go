package sealqueue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

// lookAgain is how long a message waits whose keys could not be looked for.
const lookAgain = 30 * time.Second

// unreadable is a lease of a message that cannot be opened.
type unreadable struct {
	queue.Leased
	err error
}

// final reports whether the message will never be readable.
func (u *unreadable) final() bool {
	return errors.Is(u.err, keyring.ErrKeyMissing) || errors.Is(u.err, ErrDamaged) || errors.Is(u.err, ErrNotSealed)
}

// Lease implements queue.Store. What it leases and cannot open is not among the
// answer: see the package comment.
func (s *Store) Lease(ctx context.Context, req queue.LeaseRequest, into []queue.Leased) ([]queue.Leased, error) {
	for i := range req.Budgets {
		req.Budgets[i].Ended = 0 // also where the store inside ends none itself
	}
	first := len(into)
	into, err := s.Store.Lease(ctx, req, into)
	if err != nil {
		return into, err
	}
	p := s.takePaper()
	defer s.givePaper(p)
	var bad []unreadable
	n := first
	for i := first; i < len(into); i++ {
		if err := s.open(ctx, p, &into[i].Message); err != nil {
			bad = append(bad, unreadable{into[i], err})
			continue
		}
		if n != i {
			into[n] = into[i]
		}
		n++
	}
	clear(into[n:])
	s.leased.add(into[first:n])
	s.giveUp(ctx, req.Budgets, bad)
	return into[:n], nil
}

// open opens a message that is to be delivered.
func (s *Store) open(ctx context.Context, p *paper, m *queue.Message) error {
	if isSealed(m.URI) {
		return p.openMessage(ctx, m)
	}
	if s.options.SealedOnly {
		return ErrNotSealed
	}
	return nil
}

// giveUp settles what cannot be opened: as dead, or to be leased again.
func (s *Store) giveUp(ctx context.Context, budgets []queue.Budget, bad []unreadable) {
	if len(bad) == 0 {
		return
	}
	now := time.Now()
	outcomes := make([]queue.Outcome, len(bad))
	for i := range bad {
		outcomes[i] = bad[i].outcome(now)
	}
	faults, err := s.Store.Settle(ctx, outcomes)
	for i := range bad {
		u, outcome := &bad[i], &outcomes[i]
		fault := err
		if fault == nil && faults != nil {
			fault = faults[i]
		}
		ended := fault == nil && outcome.Result != ""
		if ended {
			s.ended.add(u.record(outcome, now))
			countEnded(budgets, u.Lane)
		}
		if s.options.OnUnreadable != nil {
			s.options.OnUnreadable(Unreadable{ID: u.ID, Lane: u.Lane, Endpoint: u.Endpoint, Err: errors.Join(u.err, fault), Ended: ended})
		}
	}
}

func (u *unreadable) outcome(now time.Time) queue.Outcome {
	if !u.final() {
		return queue.Outcome{LeaseRef: u.Ref(), Verdict: queue.VerdictRelease, At: now.Add(lookAgain), Target: u.Target}
	}
	return queue.Outcome{
		LeaseRef: u.Ref(), Verdict: queue.VerdictDead, Status: queue.StatusUndeliverable, Target: u.Target,
		Attempt: &queue.Attempt{StartedAt: now, Class: transport.Permanent, Error: fmt.Sprintf("not attempted: cannot open the message: %v", u.err)},
	}
}

// record is the message's record as it is now, but for what was sealed and for the
// evidence of earlier attempts. It was enqueued when its id was made, or little
// later.
func (u *unreadable) record(outcome *queue.Outcome, now time.Time) queue.Record {
	r := queue.Record{
		Message: u.Message, State: queue.StateDone, Result: outcome.Result, Status: outcome.Status,
		Attempts: u.Attempt - 1, Replays: u.Replays, CreatedAt: u.ID.Time(), QueuedAt: u.QueuedAt, UpdatedAt: now, Bytes: u.Size(),
	}
	if outcome.Attempt != nil { // else it was cancelled meanwhile
		r.Attempts++
		r.LastError = outcome.Attempt.Error
	}
	hide(&r.Message)
	r.Payload, r.Metadata = nil, nil
	return r
}

func countEnded(budgets []queue.Budget, lane queue.Lane) {
	for i := range budgets {
		if budgets[i].Lane == lane {
			budgets[i].Ended++
			return
		}
	}
}

// Expire implements queue.Store. First it returns what Lease has ended.
func (s *Store) Expire(ctx context.Context, limit int) ([]queue.Record, time.Time, error) {
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, err
	}
	if ended := s.ended.take(limit); len(ended) > 0 {
		return ended, time.Now(), nil // the store inside may have more
	}
	ended, next, err := s.Store.Expire(ctx, limit)
	s.openRecords(ctx, ended)
	return ended, next, err
}

// endedRecords are those that Lease has ended and Expire has not told of.
type endedRecords struct {
	mu      sync.Mutex
	records []queue.Record
}

func (e *endedRecords) add(r queue.Record) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.records = append(e.records, r)
}

func (e *endedRecords) take(limit int) []queue.Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(max(limit, 0), len(e.records))
	taken := e.records[:n:n]
	if e.records = e.records[n:]; len(e.records) == 0 {
		e.records = nil
	}
	return taken
}

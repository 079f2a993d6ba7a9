package outbound

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
)

// Get returns one record, with its payload where asked for. An id that is not
// known is queue.ErrNotFound.
func (m *Manager) Get(ctx context.Context, id transport.ID, withPayload bool) (queue.Record, error) {
	records, err := m.store.Get(ctx, []transport.ID{id}, withPayload)
	if err != nil {
		return queue.Record{}, err
	}
	if len(records) == 0 {
		return queue.Record{}, fmt.Errorf("%w: %s", queue.ErrNotFound, id)
	}
	records[0].Status = string(statusOf(&records[0]))
	return records[0], nil
}

// Attempts returns a message's attempts, oldest first.
func (m *Manager) Attempts(ctx context.Context, id transport.ID) ([]queue.Attempt, error) {
	return m.store.Attempts(ctx, id)
}

// List returns a page of records, without payload.
func (m *Manager) List(ctx context.Context, q queue.Query) (queue.Page, error) {
	return withStatus(m.store.List(ctx, q))
}

// Cancel ends the messages of the page that q selects, and returns those it
// changed. A message that is being attempted is cancelled afterwards, unless the
// attempt delivers it. Before Start it is refused with ErrNotStarted.
func (m *Manager) Cancel(ctx context.Context, q queue.Query) (queue.Page, error) {
	if err := m.accepting(); errors.Is(err, ErrNotStarted) {
		return queue.Page{}, err // Start counts what waits
	}
	page, err := withStatus(m.store.Cancel(ctx, q))
	for i := range page.Records {
		record := &page.Records[i]
		if record.State == queue.StateDone {
			m.announceQueued(record.ID)
			e := eventOf(record)
			m.tellEnd(record.Result, &e)
			m.done(record.Lane, record.Bytes)
			m.passTurn(&record.Message, record.Lane)
			m.sched.recheck(record.Lane)
		} else {
			m.expiresAt(m.leaseEnd()) // in case its attempt never ends
			m.release(m.sched.withdraw(record.Lane, record.ID))
		}
	}
	return page, err
}

// Replay queues the messages of the page that q selects again, of those that are
// dead, expired or cancelled, under their old ids and with all their attempts
// before them. It returns those it changed.
func (m *Manager) Replay(ctx context.Context, q queue.Query) (queue.Page, error) {
	if err := m.accepting(); err != nil {
		return queue.Page{}, err
	}
	m.replaying.Lock()
	defer m.replaying.Unlock()
	if len(q.Results) == 0 {
		q.Results = []queue.Result{queue.Dead, queue.Expired, queue.Cancelled}
	}
	found, err := m.store.List(ctx, q)
	if err != nil || len(found.Records) == 0 {
		return found, err
	}
	m.settler.catchUp()
	// What is told and counted of a message comes before its first attempt, which
	// may come before the store has answered.
	ids := make([]transport.ID, len(found.Records))
	counted := map[transport.ID]*queue.Record{}
	for i := range found.Records {
		record := &found.Records[i]
		ids[i], counted[record.ID] = record.ID, record
		m.load.addKept(m.tenant(ctx, record.Lane.Profile), record.Lane, 1, record.Bytes)
		if status := statusIn(record.Lane); m.events.Active(m.options.TopicPrefix + status.Topic()) {
			e := eventOf(record)
			e.Status, e.Attempt, e.Error = status, 0, ""
			m.announceQueued(e.ID) // it may have ended before that was told
			m.announce.add(e)
		}
	}
	replayed, err := withStatus(m.store.Replay(ctx, queue.Query{IDs: ids, Limit: len(ids)}))
	for i := range replayed.Records {
		record := &replayed.Records[i]
		delete(counted, record.ID)
		m.announceQueued(record.ID)
		m.expiresAt(record.ExpiresAt)
		m.sched.notify(record.Lane, time.Time{})
	}
	for id, record := range counted { // somebody else was faster
		m.announce.forget(id)
		m.load.remove(record.Lane, record.Bytes)
	}
	replayed.Next = found.Next
	return replayed, err
}

func withStatus(page queue.Page, err error) (queue.Page, error) {
	for i := range page.Records {
		page.Records[i].Status = string(statusOf(&page.Records[i]))
	}
	return page, err
}

// statusOf is the status a sender is told. A store keeps it only where it differs
// from what follows from the record's end.
func statusOf(r *queue.Record) Status {
	switch {
	case r.Result == queue.Dead, r.Result == queue.Expired:
		return StatusUndeliverable
	case r.State != queue.StateDone && isPickup(r.Lane):
		return StatusWaitingForPickup
	case r.Status == "" || r.Status == string(StatusUndeliverable):
		return StatusQueuedForDelivery
	default:
		return Status(r.Status)
	}
}

func eventOf(r *queue.Record) MessageEvent {
	return MessageEvent{
		ID: r.ID, Profile: r.Lane.Profile, Endpoint: r.Endpoint, Attempt: r.Attempts,
		Status: statusOf(r), Evidence: r.Evidence, Error: r.LastError,
	}
}

// Statistics is what the manager knows of itself.
type Statistics struct {
	Backlog queue.Backlog `json:"-"`
	// InFlight counts the attempts under way.
	InFlight     int               `json:"in_flight"`
	Destinations DestinationCounts `json:"destinations"`
	// Transports holds the snapshot of each transport's collector, by its schemes.
	Transports []TransportStatistics `json:"transports"`
}

// TransportStatistics is the snapshot of one transport's collector.
type TransportStatistics struct {
	Transport string         `json:"transport"` // its name: "http"
	Schemes   []string       `json:"schemes"`
	Stats     stats.Snapshot `json:"stats"`
}

// Stats counts the messages in the store and takes a snapshot of each transport's
// collector, in the order of their schemes.
func (m *Manager) Stats(ctx context.Context) (Statistics, error) {
	totals, err := m.store.Stats(ctx, queue.ByTotal)
	if err != nil {
		return Statistics{}, fmt.Errorf("count messages: %w", err)
	}
	all := Statistics{InFlight: m.sched.inFlight(), Destinations: m.sched.countDestinations()}
	if len(totals) > 0 {
		all.Backlog = totals[0]
	}
	for _, r := range m.inUse() {
		if r.collector != nil {
			all.Transports = append(all.Transports, TransportStatistics{r.name, r.schemes, r.collector.Snapshot()})
		}
	}
	return all, nil
}

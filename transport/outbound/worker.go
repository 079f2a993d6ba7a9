package outbound

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// leaseMargin is how much longer a lease lives than an attempt may take: the time
// to record the outcome.
const leaseMargin = time.Minute

// worker makes attempts, one at a time. What it holds is its scratch paper.
type worker struct {
	m    *Manager
	wake chan struct{} // the scheduler's; has room for one

	context  attemptContext
	batch    []queue.Leased // as leased; the first is what it attempts
	leased   *queue.Leased  // the first of batch
	message  Message        // the same, for the transport
	budgets  [1]queue.Budget
	outcomes [1]queue.Outcome
	log      queue.Attempt
}

func newWorker(m *Manager) *worker {
	return &worker{m: m, wake: make(chan struct{}, 1), context: attemptContext{parent: m.base, timeout: m.options.AttemptTimeout}}
}

// run serves lanes until the scheduler stops.
func (w *worker) run() {
	defer w.context.end()
	var finished *lane
	now := time.Now()
	for {
		l, lease := w.m.sched.take(w, finished, now)
		finished = nil
		if l == nil {
			return
		}
		if lease > 0 && !w.lease(l, lease) {
			continue
		}
		w.leased = &w.batch[0]
		now = w.attempt(l)
		clear(w.batch)
		w.message = Message{}
		finished = l
	}
}

// lease asks the store for messages of a lane and keeps the first for itself.
func (w *worker) lease(l *lane, most int) bool {
	w.budgets[0] = queue.Budget{Lane: l.key, Max: most}
	leased, err := w.m.store.Lease(w.m.base, queue.LeaseRequest{
		Owner: "manager", TTL: w.m.options.AttemptTimeout + leaseMargin, Budgets: w.budgets[:],
	}, w.batch[:0])
	now := time.Now()
	if err != nil {
		if w.m.base.Err() == nil {
			w.m.log.Error("cannot lease messages", zap.String("destination", l.key.Destination), zap.Error(err))
		}
		leased, w.budgets[0].NextAt = w.batch[:0], now.Add(time.Second)
	}
	w.batch = leased
	if !w.m.sched.leased(l, leased, w.budgets[0].NextAt, now) {
		w.m.release(leased)
		clear(leased)
		return false
	}
	clear(leased[1:])
	w.batch = leased[:1]
	return true
}

// attempt makes one attempt for the worker's message, records the outcome, and
// returns when it ended.
func (w *worker) attempt(l *lane) (finished time.Time) {
	started := time.Now()
	w.m.announceQueued(w.leased.ID)
	receipt, external, err := w.deliver(l, started)
	finished = time.Now()
	w.log = queue.Attempt{
		StartedAt: started, Duration: finished.Sub(started),
		Class: transport.Success, Evidence: receipt.Evidence, Code: receipt.Code, Note: receipt.Note, Response: receipt.Response,
	}
	outcome := &w.outcomes[0]
	*outcome = queue.Outcome{LeaseRef: w.leased.Ref(), Verdict: queue.VerdictDelivered, Attempt: &w.log}
	if err != nil {
		w.m.judge(l, w.leased, err, outcome)
	} else if external {
		outcome.Status = string(StatusSentToExternalQueue)
	}
	w.m.settle(w.leased, w.outcomes[:])
	return finished
}

// deliver hands the worker's message to its transport.
func (w *worker) deliver(l *lane, started time.Time) (receipt Receipt, external bool, err error) {
	m, leased := w.m, w.leased
	endpoint, err := l.endpoint.parse(leased.URI)
	if err != nil {
		return Receipt{}, false, &DeliveryError{Op: "read", Class: transport.Permanent, Err: err}
	}
	route, err := m.acquireTransport(endpoint.Scheme())
	if err != nil {
		return Receipt{}, false, err
	}
	defer route.release()
	tenant, err := m.options.Profiles.Lookup(m.base, leased.Lane.Profile)
	if err != nil {
		return Receipt{}, false, &DeliveryError{Op: "resolve profile", Transport: route.name, Endpoint: endpoint, Err: err}
	}
	if route.queued != nil {
		route.queued.Observe(started.Sub(laterOf(leased.QueuedAt, leased.NotBefore)))
	}
	w.message = Message{
		Endpoint: endpoint, Payload: leased.Payload, Text: leased.Text, ContentType: leased.ContentType,
		Metadata: leased.Metadata, Profile: tenant, WireFormat: leased.Format, IdempotencyKey: leased.IdempotencyKey,
		NotBefore: leased.NotBefore, ExpiresAt: leased.ExpiresAt,
		ID: leased.ID, Attempt: leased.Attempt, QueuedAt: leased.QueuedAt,
	}
	if err := m.stamp(&w.message, started); err != nil {
		return Receipt{}, false, &DeliveryError{Op: "stamp", Transport: route.name, Endpoint: endpoint, Err: err}
	}
	receipt, err = call(w.context.begin(started), route, &w.message)
	w.context.pause()
	return receipt, route.external, err
}

// call runs a transport, and turns its panic into an error: one message must not
// take the process down.
func call(ctx context.Context, route *registered, message *Message) (receipt Receipt, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &DeliveryError{
				Op: "handle message", Transport: route.name, Endpoint: message.Endpoint, MaybeSent: true,
				Err: &panicError{value: fmt.Sprintf("%T", value), stack: debug.Stack()},
			}
		}
	}()
	return route.HandleMessage(ctx, message)
}

// panicError stands for a transport's panic. Its text leaves out the value, which
// may hold anything.
type panicError struct {
	value string // its type
	stack []byte
}

func (e *panicError) Error() string { return "transport panicked with a " + e.value }

// stamp adds what the wire format binds to the attempt's time.
func (m *Manager) stamp(message *Message, at time.Time) error {
	format, err := m.options.Formats.ByName(message.WireFormat)
	if err != nil {
		return err
	}
	stamper, ok := wireformat.As[wireformat.Stamper](format)
	if !ok {
		return nil
	}
	frame := wireformat.Frame{ContentType: message.ContentType, Text: message.Text, Body: message.Payload, Header: maps.Clone(message.Metadata)}
	if frame.Header == nil {
		frame.Header = map[string]string{}
	}
	if err := stamper.Stamp(m.base, message.Profile, &frame, wireformat.Attempt{ID: message.ID, Number: message.Attempt, At: at}); err != nil {
		return err
	}
	message.ContentType, message.Text, message.Payload, message.Metadata = frame.ContentType, frame.Text, frame.Body, frame.Header
	return nil
}

// laterOf returns the later of two instants.
func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

package outbound

import (
	"context"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

const (
	// leaseMargin is how much longer a lease lives than an attempt may take: the
	// time for the attempt to begin, and to record the outcome.
	leaseMargin = time.Minute
	// heldAtMost is how long a leased message may wait for its worker.
	heldAtMost = leaseMargin / 2
	// leaseAhead is how many messages are leased beyond those that can run, when
	// every worker is busy: it saves the way to the store for each of them.
	leaseAhead = 15
	// leaseAgain is how long a lane waits after the store could not lease, and how
	// often that is logged: all lanes meet the same fault.
	leaseAgain = 5 * time.Second
)

// mayComplain reports whether a fault of the store may be logged again.
func (m *Manager) mayComplain(now time.Time) bool {
	last := m.complained.Load()
	return now.UnixNano()-last >= int64(leaseAgain) && m.complained.CompareAndSwap(last, now.UnixNano())
}

// worker makes attempts, one at a time. What it holds is its scratch paper.
type worker struct {
	m    *Manager
	wake chan struct{} // the scheduler's; has room for one
	test *testRequest  // the scheduler's, for taskTest; nil: none

	now     time.Time // the latest it knows: the clock is asked as seldom as can be
	context attemptContext
	leased  lease   // what it attempts
	message Message // the same, for the transport
	batch   []lease // what it releases
	room    *room   // the scheduler's, for taskLease
	budgets [1]queue.Budget
	finding finding       // of its latest attempt
	fault   *attemptFault // of the latest that failed
	answer  testAnswer    // for test
	testing bool          // somebody waits for the outcome
}

func newWorker(m *Manager) *worker {
	return &worker{m: m, wake: make(chan struct{}, 1), now: time.Now(), context: newAttemptContext(m)}
}

// run serves lanes until the scheduler stops. It begins where an attempt in a lane,
// if it is not nil, has just finished.
func (w *worker) run(finished *lane) {
	defer w.context.end()
	for {
		l, do, most := w.m.sched.take(w, finished)
		finished = nil
		switch do {
		case taskStop:
			return
		case taskRelease:
			w.release()
		case taskTest:
			w.makeTest(l)
			finished = l
		case taskTell:
			w.m.tellLanes()
			w.now = time.Now()
		case taskLease:
			if w.lease(l, most) {
				w.attempt(l)
				finished = l
			}
		case taskAttempt:
			w.attempt(l)
			finished = l
		}
	}
}

// take gives the worker the next message of a lane to attempt.
func (w *worker) take(ready *readyBuffer) {
	w.now = laterOf(w.now, ready.since)
	w.leased = ready.take()
}

// release gives the messages of the worker's batch back to the store.
func (w *worker) release() {
	w.m.release(w.batch)
	clear(w.batch)
	w.batch = w.batch[:0]
	w.now = time.Now()
}

// forget lets go of the message it had, when there is nothing to do.
func (w *worker) forget() {
	w.leased, w.message = lease{}, Message{}
}

// lease asks the store for messages of a lane and keeps the first for itself.
func (w *worker) lease(l *lane, most int) bool {
	w.budgets[0] = queue.Budget{Lane: l.key, Max: most}
	from := supply{room: w.room, pace: w.m.paceOf(w.m.base, l.key.Profile)}
	w.room = nil
	leased, err := w.askStore(from.room.messages)
	w.now = time.Now()
	if err == nil {
		from.room.messages, from.next = leased, w.budgets[0].NextAt
	} else {
		if w.m.base.Err() == nil && w.m.mayComplain(w.now) {
			w.m.log.Error("cannot lease messages", zap.String("destination", l.key.Destination), zap.Error(err))
		}
		clear(from.room.messages[:cap(from.room.messages)]) // it may have read some
		from.next = w.now.Add(leaseAgain)
	}
	ok := w.m.sched.leased(w, l, from)
	if !ok {
		w.release()
	}
	return ok
}

// askStore leases messages for the worker's budget.
func (w *worker) askStore(into []queue.Leased) ([]queue.Leased, error) {
	leased, err := w.m.store.Lease(w.m.base, queue.LeaseRequest{TTL: w.m.leaseTime(), Budgets: w.budgets[:]}, into)
	if w.budgets[0].Ended > 0 {
		w.m.expiresAt(time.Now()) // has their end told
	}
	return leased, err
}

// attempt makes one attempt for the worker's message, and has the outcome recorded. A
// message that expired on its way is not attempted.
func (w *worker) attempt(l *lane) {
	w.finding = finding{}
	started := w.now
	w.m.announceQueued(w.leased.ID)
	if expires := w.leased.ExpiresAt; !expires.IsZero() && !started.Before(expires) {
		w.settle(&queue.Outcome{LeaseRef: w.leased.Ref(), Verdict: queue.VerdictExpired, Status: string(StatusUndeliverable)}, nil)
		return
	}
	arrivals := w.m.sched.arrivals.Load()
	w.m.load.taken(l.key, 1)
	returned := false
	defer func() {
		if !returned { // the transport has ended the goroutine
			w.conclude(l, started, arrivals, &Receipt{}, "", faultOf(&DeliveryError{Op: "attempt", MaybeSent: true, Err: errExited}))
			w.bequeath(l)
		}
	}()
	receipt, status, fault := w.deliver(l, started)
	returned = true
	w.conclude(l, started, arrivals, &receipt, status, fault)
}

// conclude has recorded what came of the attempt. arrivals is the scheduler's count when
// it began.
func (w *worker) conclude(l *lane, started time.Time, arrivals uint64, receipt *Receipt, status Status, fault *attemptFault) {
	w.now = time.Now()
	log := queue.Attempt{
		Target: w.leased.Target, StartedAt: started, Duration: w.now.Sub(started),
		Class: transport.Success, Evidence: receipt.Evidence, Code: receipt.Code, Note: receipt.Note, Response: receipt.Response,
	}
	outcome := queue.Outcome{LeaseRef: w.leased.Ref(), Verdict: queue.VerdictDelivered, Status: string(status)}
	if fault != nil {
		w.fault = fault
		w.m.load.taken(l.key, -1)
		if away := w.m.judge(w.leased.Leased, fault, &outcome, &log); away {
			w.m.sched.goAway(l, arrivals) // before it is due again
		}
		w.now = time.Now() // the store may have been waited for
	}
	if outcome.Verdict == queue.VerdictRelease {
		w.settle(&outcome, nil)
		return
	}
	log.Code, log.Note = clip(log.Code, maxCode), clip(log.Note, maxText)
	log.Error, log.Response = clip(log.Error, maxText), log.Response[:min(len(log.Response), maxResponse)]
	w.finding = findingOf(l.key, &log)
	w.finding.hung = fault != nil && log.Duration >= w.m.options.AttemptTimeout
	w.settle(&outcome, &log)
}

// bequeath has another worker go on, where the goroutine of this one ends.
func (w *worker) bequeath(l *lane) {
	heir := *w
	heir.context = newAttemptContext(w.m)
	w.m.workers.Go(func() { heir.run(l) })
}

// settle has an outcome recorded, with the attempt that led to it, if one did: soon, or
// at once where somebody waits for it.
func (w *worker) settle(outcome *queue.Outcome, log *queue.Attempt) {
	w.m.countMove(w.leased, outcome, false) // before the next is judged, and before somebody can end one where it goes
	if w.testing && w.settleTest(*outcome, log) {
		return
	}
	if waited := w.m.settler.add(w.leased, outcome, log); waited {
		w.now = time.Now()
	}
}

// deliver hands the worker's message to its transport. What is not ours runs in
// it: its panic becomes a fault, since one message must not take the process
// down, and its time is bounded by the attempt's.
func (w *worker) deliver(l *lane, started time.Time) (receipt Receipt, status Status, fault *attemptFault) {
	ctx := w.context.begin(started)
	var endpoint transport.Endpoint
	defer func() {
		if value := recover(); value != nil {
			fault = panicked(endpoint, value)
		}
	}()
	endpoint, err := l.endpoint.parse(w.leased.URI)
	if err != nil {
		return Receipt{}, "", faultOf(&DeliveryError{Op: "read", Class: transport.Permanent, Err: err})
	}
	if receipt, status, err = w.handOver(ctx, endpoint, started); err != nil {
		fault = faultOf(err)
	}
	return receipt, status, fault
}

// handOver makes the attempt at the endpoint.
func (w *worker) handOver(ctx context.Context, endpoint transport.Endpoint, started time.Time) (receipt Receipt, status Status, err error) {
	m, leased := w.m, w.leased
	route, err := m.acquireTransport(endpoint.Scheme())
	if err != nil {
		return Receipt{}, "", err
	}
	defer route.release()
	tenant, err := m.options.Profiles.Lookup(ctx, leased.Lane.Profile)
	if err != nil {
		return Receipt{}, "", &DeliveryError{Op: "resolve profile", Transport: route.name, Endpoint: endpoint, Err: err}
	}
	if route.queued != nil && leased.Attempt == 1 {
		route.queued.Observe(started.Sub(laterOf(leased.QueuedAt, leased.NotBefore)))
	}
	w.message = Message{
		Endpoint: endpoint, Payload: leased.Payload, Text: leased.Text, ContentType: leased.ContentType,
		Metadata: leased.Metadata, Profile: tenant, WireFormat: leased.Format, IdempotencyKey: leased.IdempotencyKey,
		NotBefore: leased.NotBefore, ExpiresAt: leased.ExpiresAt,
		Priority: leased.Priority, OrderingKey: leased.OrderingKey, MinEvidence: leased.MinEvidence,
		ID: leased.ID, Attempt: leased.Attempt, QueuedAt: leased.QueuedAt,
	}
	if err := m.stamp(ctx, &w.message, started); err != nil {
		return Receipt{}, "", &DeliveryError{Op: "stamp", Transport: route.name, Endpoint: endpoint, Err: err}
	}
	if receipt, err = route.HandleMessage(ctx, &w.message); err != nil {
		return receipt, "", err
	}
	if err := weakEvidence(&receipt, leased.MinEvidence, route, endpoint); err != nil {
		return receipt, "", err
	}
	status = route.statusOf(&receipt)
	return receipt, status, nil
}

// stamp adds what the wire format binds to the attempt's time.
func (m *Manager) stamp(ctx context.Context, message *Message, at time.Time) error {
	stamper, err := m.options.Formats.Stamper(message.WireFormat)
	if err != nil || stamper == nil {
		return err
	}
	frame := wireformat.Frame{ContentType: message.ContentType, Text: message.Text, Body: message.Payload, Header: maps.Clone(message.Metadata)}
	if frame.Header == nil {
		frame.Header = map[string]string{}
	}
	if err := stamper.Stamp(ctx, message.Profile, &frame, wireformat.Attempt{ID: message.ID, Number: message.Attempt, At: at}); err != nil {
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

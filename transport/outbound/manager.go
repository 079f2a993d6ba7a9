package outbound

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/registry"
	"github.com/outrider-go/outrider/transport"
)

// Manager accepts messages, keeps them in a store, and has them delivered by the
// transport of their endpoint's scheme. It is ACA-Py's outbound transport
// manager. Its methods may be called from any goroutine.
//
// While it is started it runs Options.Workers goroutines that make attempts, one
// that wakes lanes when they are due, one that waits for the workers and one that records
// outcomes. No goroutine and no timer waits for a single message.
type Manager struct {
	options    Options
	store      queue.Store
	events     *event.Bus
	ownEvents  bool
	log        *zap.Logger
	transports *registry.Registry[*registered]
	sched      *scheduler
	load       load
	announce   announcer
	singles    sync.Pool // of *single

	replaying   sync.Mutex     // held by Replay: two must not announce one message
	recording   transport.Turn // whoever has it records and tells what is known of lanes
	registering transport.Turn // whoever has it changes, starts or stops transports
	live        bool           // transports are started as they register; guarded by registering
	retiring    []*registered  // replaced, and not stopped yet; guarded by registering

	life      transport.Turn  // had while starting, and while stopping takes its last steps
	used      bool            // Start was called; guarded by life
	running   atomic.Bool     // messages are accepted
	stopping  atomic.Bool     // no messages are accepted any more, and no attempts started
	halting   sync.Once       // of the attempts
	base      context.Context //nolint:containedctx // Start's: bounds attempts, and transports that register later
	settling  context.Context //nolint:containedctx // base without its end: outcomes are recorded after the hard stop, too
	cancel    context.CancelFunc
	unhook    func() bool
	workers   sync.WaitGroup
	idle      chan struct{} // closed when all workers have ended; nil before Start
	settler   *settler
	clockDone chan struct{}
	stopClock chan struct{} // nil when the clock does not run
	stopped   chan struct{} // closed when Stop is done
	ended     sync.Once     // of stopped

	complained              atomic.Int64 // Unix nanoseconds; when a fault of Lease was logged
	nextExpiry              atomic.Int64 // Unix nanoseconds; when the clock looks for expired messages
	unpurged, unpurgedBytes atomic.Int64 // messages done since the last purge
}

// New returns a manager over a store. It starts nothing. The store stays the
// caller's, to be closed after Stop.
func New(store queue.Store, options Options) (*Manager, error) {
	if registry.IsNil(store) {
		return nil, errors.New("outbound.New: the store is nil")
	}
	if err := options.setDefaults(); err != nil {
		return nil, fmt.Errorf("outbound.New: %w", err)
	}
	m := &Manager{
		options: options, store: store, events: options.Events, log: options.Logger,
		transports: registry.New[*registered](),
		sched: newScheduler(laneRules{
			limit: options.LaneConcurrency, breaker: options.Breaker, budget: options.FailureBudget,
		}),
		recording: transport.NewTurn(), registering: transport.NewTurn(), life: transport.NewTurn(),
		singles: sync.Pool{New: func() any { return new(single) }},
		base:    context.Background(), settling: context.Background(), cancel: func() {},
		stopped: make(chan struct{}),
	}
	m.settler = newSettler(m)
	m.load.maxMessages, m.load.maxBytes, m.load.began = options.MaxMessages, options.MaxBytes, time.Now()
	if m.events == nil {
		m.events, m.ownEvents = event.New(event.Options{}), true
	}
	if options.Sessions == nil {
		m.options.Sessions = nobody{}
		return m, nil
	}
	err := m.Register(&peerTransport{sessions: options.Sessions})
	return m, err
}

// Events returns the bus the manager publishes to.
func (m *Manager) Events() *event.Bus { return m.events }

// Start starts the transports, takes up what the store holds, and begins to
// accept and to deliver. Cancelling ctx later is the hard stop: attempts end at
// once and do not count; Stop is still to be called. A manager starts once, also
// when that fails.
func (m *Manager) Start(ctx context.Context) error {
	if err := m.life.Take(ctx); err != nil {
		return fmt.Errorf("start manager: it is being started or stopped: %w", err)
	}
	defer m.life.Give()
	if m.used || m.stopping.Load() {
		return errors.New("start manager: it has been started or stopped before")
	}
	m.used = true
	base, cancel := context.WithCancel(ctx)
	m.base, m.cancel, m.settling = base, cancel, context.WithoutCancel(base)
	if err := m.startTransports(base); err != nil {
		cancel()
		return err
	}
	if err := m.restore(base); err != nil {
		cancel()
		return errors.Join(fmt.Errorf("start manager: %w", err), m.stopTransports(m.settling))
	}
	m.expiresAt(time.Now()) // something may have expired while nobody looked
	m.run()
	m.unhook = context.AfterFunc(base, m.halt)
	m.running.Store(true)
	return nil
}

// run starts the workers and the clock.
func (m *Manager) run() {
	m.idle, m.stopClock, m.clockDone = make(chan struct{}), make(chan struct{}), make(chan struct{})
	m.settler.start()
	for range m.options.Workers {
		w := newWorker(m)
		m.workers.Go(func() { w.run(nil) })
	}
	go func() {
		m.workers.Wait()
		m.settler.close()
		close(m.idle)
	}()
	go m.runClock()
}

// startTransports starts those that are registered; when one fails it stops
// those that have been started.
func (m *Manager) startTransports(ctx context.Context) error {
	if err := m.registering.Take(ctx); err != nil {
		return err
	}
	defer m.registering.Give()
	var running []*registered
	for _, r := range m.inUse() {
		if err := m.startTransport(r); err != nil {
			faults := []error{err}
			for _, r := range running {
				faults = append(faults, m.stopTransport(m.settling, r))
			}
			return errors.Join(faults...)
		}
		running = append(running, r)
	}
	m.live = true
	return nil
}

// restore learns from the store which lanes have work and which are paused.
func (m *Manager) restore(ctx context.Context) error {
	backlog, err := m.store.Stats(ctx, queue.ByLane)
	if err != nil {
		return fmt.Errorf("count messages: %w", err)
	}
	for i := range backlog {
		if lane := backlog[i].Lane; backlog[i].Waiting() > 0 {
			m.load.addKept(m.tenant(ctx, lane.Profile), lane, backlog[i].Waiting(), backlog[i].Bytes)
		}
	}
	if err := m.scan(ctx); err != nil {
		return err
	}
	states, err := m.store.Lanes(ctx) // last: where nothing waits, nobody knows when it failed last
	if err != nil {
		return fmt.Errorf("read lanes: %w", err)
	}
	for _, state := range states {
		m.sched.restore(state)
	}
	return nil
}

// tenant returns a profile, or nil where it is not known.
func (m *Manager) tenant(ctx context.Context, id string) *profile.Profile {
	tenant, err := m.options.Profiles.Lookup(ctx, id)
	if err != nil {
		return nil
	}
	return tenant
}

// scan asks the store for all lanes that have work.
func (m *Manager) scan(ctx context.Context) error {
	const page = 1000
	var after queue.Lane
	for {
		lanes, err := m.store.Due(ctx, after, page)
		if err != nil {
			return fmt.Errorf("find due work: %w", err)
		}
		for _, due := range lanes {
			m.sched.notify(due.Lane, due.NextAt)
		}
		if len(lanes) < page {
			return nil
		}
		after = lanes[page-1].Lane
	}
}

// Left is what a stopped manager has not delivered. All of it is in the store.
type Left struct {
	InFlight int   `json:"in_flight"` // attempts that had not ended
	Messages int64 `json:"messages"`  // that wait, those in flight included
	Bytes    int64 `json:"bytes"`
	// Unrecorded counts attempts that have ended, and whose outcomes the store has no
	// room for. Those messages are attempted again by the next manager.
	Unrecorded int `json:"unrecorded,omitempty"`
}

// Stop refuses new messages, lets the attempts under way end and their outcomes be
// recorded, and stops the transports. ctx bounds the wait: when it ends, Stop returns
// its error, and may be called again to go on waiting; cancelling the context given to
// Start ends the attempts. It may be called before Start, and twice.
func (m *Manager) Stop(ctx context.Context) (Left, error) {
	m.halt()
	err := m.finish(ctx)
	left := Left{InFlight: m.sched.inFlight(), Unrecorded: m.settler.left()}
	left.Messages, left.Bytes = m.load.waiting()
	return left, err
}

// Halt starts no more attempts; those under way go on. Messages are still taken, and
// kept for the next start, until Stop is called: for what is stopped in between, and
// hands over what it has. Halt waits for nothing, and may be called twice.
func (m *Manager) Halt() { m.halting.Do(func() { m.release(m.sched.stop()) }) }

// halt takes no more messages and starts no more attempts.
func (m *Manager) halt() {
	m.stopping.Store(true)
	m.Halt()
}

// finish waits for the workers and stops what was started.
func (m *Manager) finish(ctx context.Context) error {
	if m.running.Load() {
		if err := transport.Wait(ctx, m.idle); err != nil {
			return fmt.Errorf("stop manager: attempts are still under way: %w", err)
		}
	}
	if err := m.life.Take(ctx); err != nil {
		return fmt.Errorf("stop manager: it is being started or stopped: %w", err)
	}
	defer m.life.Give()
	if m.stopClock != nil {
		m.unhook()
		close(m.stopClock)
		<-m.clockDone
		m.stopClock = nil
	}
	if err := m.stopTransports(ctx); err != nil {
		return fmt.Errorf("stop manager: %w", err)
	}
	m.cancel()
	m.running.Store(false)
	m.ended.Do(func() { close(m.stopped) })
	return m.closeEvents(ctx)
}

// stopTransports stops those that are registered and those that were replaced.
func (m *Manager) stopTransports(ctx context.Context) error {
	if err := m.registering.Take(ctx); err != nil {
		return fmt.Errorf("a transport is being started or stopped: %w", err)
	}
	defer m.registering.Give()
	if !m.live && len(m.retiring) == 0 {
		return nil
	}
	var faults []error
	for _, r := range append(m.inUse(), m.retiring...) {
		faults = append(faults, m.stopTransport(ctx, r))
	}
	err := errors.Join(faults...)
	if err == nil {
		m.live, m.retiring = false, nil
	}
	return err
}

func (m *Manager) closeEvents(ctx context.Context) error {
	if !m.ownEvents {
		return nil
	}
	return m.events.Close(ctx)
}

// Flush waits until no message is left to deliver, those that wait for a retry
// included. It returns ErrStopped when the manager has stopped before that. A manager
// that has not started knows of none.
func (m *Manager) Flush(ctx context.Context) error { return m.load.waitEmpty(ctx, m.stopped) }

// Ready reports why no message would be accepted now: ErrNotStarted, ErrStopped
// or ErrQueueFull; nil: one would.
func (m *Manager) Ready() error {
	if err := m.accepting(); err != nil {
		return err
	}
	return m.load.room(1, 0)
}

// accepting reports why the manager takes no messages.
func (m *Manager) accepting() error {
	switch {
	case m.stopping.Load():
		return ErrStopped
	case !m.running.Load():
		return ErrNotStarted
	}
	return nil
}

// publish publishes an event that is not about a message.
func (m *Manager) publish(topic string, payload any) {
	if topic = m.options.TopicPrefix + topic; m.events.Active(topic) {
		m.events.Publish(topic, payload)
	}
}

// tell publishes an event about a message.
func (m *Manager) tell(topic string, e *MessageEvent) {
	if topic = m.options.TopicPrefix + topic; m.events.Active(topic) {
		m.events.Publish(topic, *e)
	}
}

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
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/registry"
)

// Manager accepts messages, keeps them in a store, and has them delivered by the
// transport of their endpoint's scheme. It is the seed's outbound transport
// manager. Its methods may be called from any goroutine.
//
// While it is started it runs Options.Workers goroutines that make attempts, and
// one that wakes lanes when they are due. No goroutine and no timer waits for a
// single message.
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

	registering sync.Mutex // held while the set of transports changes
	life        sync.Mutex // held while starting, and while stopping takes its steps
	started     bool
	stopping    atomic.Bool
	halting     sync.Once
	base        context.Context //nolint:containedctx // Start's: bounds attempts, and transports that register later
	record      context.Context //nolint:containedctx // base without its end: outcomes are recorded after the hard stop, too
	cancel      context.CancelFunc
	unhook      func() bool
	workers     sync.WaitGroup
	clockDone   chan struct{}
	stopClock   chan struct{}

	nextExpiry atomic.Int64 // Unix nanoseconds; when the clock looks for expired messages
	unpurged   atomic.Int64 // messages done since the last purge
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
		sched:      newScheduler(options.LaneConcurrency),
		singles:    sync.Pool{New: func() any { return new(single) }},
		base:       context.Background(), record: context.Background(),
	}
	m.load.maxMessages, m.load.maxBytes = options.MaxMessages, options.MaxBytes
	if m.events == nil {
		m.events, m.ownEvents = event.New(event.Options{}), true
	}
	return m, nil
}

// Events returns the bus the manager publishes to.
func (m *Manager) Events() *event.Bus { return m.events }

// Start starts the transports, takes up what the store holds, and begins to
// deliver. Cancelling ctx later is the hard stop: attempts end at once and do not
// count; Stop is still to be called. A manager starts once.
func (m *Manager) Start(ctx context.Context) error {
	m.life.Lock()
	defer m.life.Unlock()
	if m.started || m.stopping.Load() {
		return errors.New("start manager: it has been started before")
	}
	base, cancel := context.WithCancel(ctx)
	m.base, m.cancel, m.record = base, cancel, context.WithoutCancel(base)
	if err := m.startTransports(); err != nil {
		cancel()
		return err
	}
	if err := m.restore(base); err != nil {
		cancel()
		return errors.Join(fmt.Errorf("start manager: %w", err), m.stopTransports(ctx))
	}
	m.expiresAt(time.Now()) // something may have expired while nobody looked
	m.stopClock, m.clockDone = make(chan struct{}), make(chan struct{})
	for range m.options.Workers {
		w := newWorker(m)
		m.workers.Go(w.run)
	}
	go m.runClock()
	m.unhook = context.AfterFunc(base, m.halt)
	return nil
}

// startTransports starts those that are registered; when one fails it stops
// those that have been started.
func (m *Manager) startTransports() error {
	m.registering.Lock()
	defer m.registering.Unlock()
	var running []*registered
	for _, r := range m.inUse() {
		if err := m.startTransport(r); err != nil {
			faults := []error{err}
			for _, r := range running {
				faults = append(faults, r.Stop(m.base))
			}
			return errors.Join(faults...)
		}
		running = append(running, r)
	}
	m.started = true
	return nil
}

// restore learns from the store which lanes have work and which are paused.
func (m *Manager) restore(ctx context.Context) error {
	states, err := m.store.Lanes(ctx)
	if err != nil {
		return fmt.Errorf("read lanes: %w", err)
	}
	for _, state := range states {
		if state.PausedUntil.After(time.Now()) {
			m.sched.pause(state.Lane, state.PausedUntil)
		}
	}
	totals, err := m.store.Stats(ctx, queue.ByTotal)
	if err != nil {
		return fmt.Errorf("count messages: %w", err)
	}
	for _, total := range totals {
		m.load.force(total.Waiting(), total.Bytes)
	}
	return m.scan(ctx)
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
}

// Stop refuses new messages, lets the attempts under way end, and stops the
// transports. ctx bounds the wait: when it ends, Stop returns its error, and may
// be called again to go on waiting; cancelling the context given to Start ends
// the attempts. It may be called before Start, and twice.
func (m *Manager) Stop(ctx context.Context) (Left, error) {
	m.halt()
	err := m.finish(ctx)
	left := Left{InFlight: m.sched.inFlight()}
	left.Messages, left.Bytes = m.load.waiting()
	return left, err
}

// halt takes no more messages and starts no more attempts.
func (m *Manager) halt() {
	m.halting.Do(func() {
		m.stopping.Store(true)
		m.release(m.sched.stop())
	})
}

// finish waits for the workers and stops what was started.
func (m *Manager) finish(ctx context.Context) error {
	m.life.Lock()
	defer m.life.Unlock()
	if !m.started {
		return m.closeEvents(ctx)
	}
	idle := make(chan struct{})
	go func() {
		m.workers.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
		return fmt.Errorf("stop manager: attempts are still under way: %w", ctx.Err())
	}
	m.unhook()
	if m.stopClock != nil {
		close(m.stopClock)
		<-m.clockDone
		m.stopClock = nil
	}
	if err := m.stopTransports(ctx); err != nil {
		return fmt.Errorf("stop manager: %w", err)
	}
	m.cancel()
	m.started = false
	return m.closeEvents(ctx)
}

func (m *Manager) stopTransports(ctx context.Context) error {
	m.registering.Lock()
	defer m.registering.Unlock()
	var faults []error
	for _, r := range m.inUse() {
		faults = append(faults, m.stopTransport(ctx, r))
	}
	return errors.Join(faults...)
}

func (m *Manager) closeEvents(ctx context.Context) error {
	if !m.ownEvents {
		return nil
	}
	return m.events.Close(ctx)
}

// Flush waits until no message is left to deliver, those that wait for a retry
// included.
func (m *Manager) Flush(ctx context.Context) error { return m.load.waitEmpty(ctx) }

// Ready reports why no message would be accepted now; nil: one would.
func (m *Manager) Ready() error {
	if m.stopping.Load() {
		return ErrStopped
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

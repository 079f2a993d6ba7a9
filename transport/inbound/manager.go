package inbound

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/registry"
	"github.com/outrider-go/outrider/transport"
)

// Manager has messages received by its transports and handled by one handler, and
// keeps the sessions by which the peers are reached. Its methods may be called
// from any goroutine.
type Manager struct {
	handler   Handler
	options   Options
	events    *event.Bus
	ownEvents bool
	log       *zap.Logger
	sessions  *table
	handlers  handlers
	buffered  atomic.Int64 // bytes of messages that are not handled yet

	registering transport.Turn // whoever has it changes, starts or stops transports
	live        bool           // they are started as they register; guarded by registering
	used        bool           // Start was called; guarded by registering
	stopping    bool           // guarded by registering
	swept       chan struct{}  // closed when the sweeper has ended; nil: it does not run

	mu         sync.Mutex // guards transports, for those who only read it
	transports []*host

	base     context.Context //nolint:containedctx // Start's: bounds handlers, and transports that register later
	settling context.Context //nolint:containedctx // base without its end: what is left is sent otherwise after the hard stop, too
	cancel   context.CancelFunc
}

// New returns a manager that starts nothing. The error names each option that is
// wrong.
func New(handler Handler, options Options) (*Manager, error) {
	if handler == nil {
		return nil, errors.New("inbound.New: the handler is nil")
	}
	if err := options.setDefaults(); err != nil {
		return nil, fmt.Errorf("inbound.New: %w", err)
	}
	m := &Manager{
		handler: handler, options: options, events: options.Events, log: options.Logger,
		handlers: newHandlers(options.Handlers), registering: transport.NewTurn(),
		base: context.Background(), settling: context.Background(), cancel: func() {},
	}
	m.sessions = newTable(&m.options)
	if m.events == nil {
		m.events, m.ownEvents = event.New(event.Options{}), true
	}
	return m, nil
}

// Events returns the bus the manager publishes to.
func (m *Manager) Events() *event.Bus { return m.events }

// Register adds a transport, and starts it if the others are started.
func (m *Manager) Register(t Transport) error {
	if registry.IsNil(t) {
		return errors.New("register inbound transport: it is nil")
	}
	h, err := m.newHost(t)
	if err != nil {
		return fmt.Errorf("register inbound transport %T: %w", t, err)
	}
	_ = m.registering.Take(context.Background()) // it does not end
	defer m.registering.Give()
	switch {
	case m.stopping:
		return fmt.Errorf("register inbound transport %s: %w", h.scheme, ErrStopped)
	case find(m.hosts(), t) >= 0:
		return fmt.Errorf("register inbound transport %s: it is registered already", h.scheme)
	}
	if m.live {
		if err := h.start(m.base); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.transports = append(m.transports, h)
	return nil
}

// acquire waits until nobody else changes, starts or stops transports;
// registering.Give follows.
func (m *Manager) acquire(ctx context.Context) error {
	if err := m.registering.Take(ctx); err != nil {
		return fmt.Errorf("transports are being started or stopped: %w", err)
	}
	return nil
}

// hosts returns the transports, in the order of their registration.
func (m *Manager) hosts() []*host {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.transports)
}

// find returns where a transport is, negative where it is not. One whose value cannot
// be compared is not found.
func find(all []*host, t Transport) int {
	if !reflect.ValueOf(t).Comparable() {
		return -1
	}
	return slices.IndexFunc(all, func(h *host) bool { return h.Transport == t })
}

// Unregister stops a transport and forgets it. When ctx ends first it is kept, and
// Unregister or Stop can be called again.
func (m *Manager) Unregister(ctx context.Context, t Transport) error {
	if err := m.acquire(ctx); err != nil {
		return fmt.Errorf("unregister inbound transport %T: %w", t, err)
	}
	defer m.registering.Give()
	all := m.hosts()
	i := find(all, t)
	if i < 0 {
		return fmt.Errorf("unregister inbound transport %T: it is not registered, or is no pointer and cannot be compared", t)
	}
	if err := all[i].stop(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.transports = slices.Delete(m.transports, i, i+1)
	return nil
}

// Start starts the transports, in the order of their registration. Cancelling ctx
// later is the hard stop: handlers and connections end at once; Stop is still to
// be called. A manager starts once, also when that fails.
func (m *Manager) Start(ctx context.Context) error {
	if err := m.acquire(ctx); err != nil {
		return fmt.Errorf("start inbound manager: %w", err)
	}
	defer m.registering.Give()
	if m.used || m.stopping {
		return errors.New("start inbound manager: it has been started or stopped before")
	}
	m.used = true
	m.base, m.cancel = context.WithCancel(ctx)
	m.settling = context.WithoutCancel(m.base)
	for _, h := range m.hosts() {
		if err := h.start(m.base); err != nil {
			m.cancel()
			return errors.Join(err, m.stopTransports(m.settling))
		}
	}
	m.live = true
	if m.options.MaxSessionAge > 0 {
		m.swept = make(chan struct{})
		go m.sweep()
	}
	return nil
}

// Stop takes no more messages, lets those under way be handled and answered, and
// ends the sessions. ctx bounds the wait: when it ends, Stop returns its error,
// and may be called again to go on waiting. It may be called before Start, and
// twice.
func (m *Manager) Stop(ctx context.Context) error {
	if err := m.acquire(ctx); err != nil {
		return fmt.Errorf("stop inbound manager: %w", err)
	}
	defer m.registering.Give()
	m.stopping = true
	empty := m.sessions.shut()
	if err := m.stopTransports(ctx); err != nil {
		return fmt.Errorf("stop inbound manager: %w", err)
	}
	if err := transport.Wait(ctx, empty); err != nil {
		return fmt.Errorf("stop inbound manager: sessions are still open: %w", err)
	}
	m.live = false
	m.cancel()
	if m.swept != nil {
		<-m.swept
	}
	if m.ownEvents {
		return m.events.Close(ctx)
	}
	return nil
}

// stopTransports stops them all at once: each may have to wait.
func (m *Manager) stopTransports(ctx context.Context) error {
	all := m.hosts()
	errs := make([]error, len(all))
	var group sync.WaitGroup
	for i, h := range all {
		group.Go(func() { errs[i] = h.stop(ctx) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// Addresses lists where messages are received, in the order of registration.
func (m *Manager) Addresses() []string {
	var all []string
	for _, h := range m.hosts() {
		if address := h.Address(); address != "" {
			all = append(all, address)
		}
	}
	return all
}

// sweep ends the sessions that are too old.
func (m *Manager) sweep() {
	defer close(m.swept)
	ticker := time.NewTicker(max(min(m.options.MaxSessionAge/8, time.Minute), time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			m.expire(now)
		case <-m.base.Done():
			return
		}
	}
}

func (m *Manager) expire(now time.Time) {
	for _, s := range m.sessions.all() {
		if now.Sub(s.opened) < m.options.MaxSessionAge {
			return // the others are younger
		}
		if s.options.canEnd() {
			s.end(ErrSessionExpired)
		}
	}
}

// publish publishes an event if somebody listens.
func (m *Manager) publish(topic string, payload func() any) {
	if topic = m.options.TopicPrefix + topic; m.events.Active(topic) {
		m.events.Publish(topic, payload())
	}
}

// tellReceived publishes what became of a message, and logs what we failed at.
func (m *Manager) tellReceived(s *Session, message *Message, took time.Duration, err error) {
	topic, refusal := TopicReceived, Refusal("")
	if err != nil {
		topic, refusal = TopicRefused, RefusalOf(err)
		if refusal == Failed {
			m.log.Error("inbound message not handled", zap.String("session", s.id), zap.String("remote", s.origin.Remote), zap.Error(err))
		}
	}
	m.publish(topic, func() any {
		e := MessageEvent{
			ID: message.ID, Session: s.id, Scheme: s.origin.Scheme, Remote: s.origin.Remote,
			Peer: message.Peer, Thread: message.Receipt.ThreadID, Format: message.Receipt.Format,
			Bytes: len(message.Frame.Body), HandledMS: took.Seconds() * 1000, Refusal: refusal,
		}
		if message.Profile != nil {
			e.Profile = message.Profile.ID()
		}
		if err != nil {
			e.Error = err.Error()
		}
		return e
	})
}

func (m *Manager) sessionClosed(s *Session) {
	m.publish(TopicSessionClosed, func() any { return s.event() })
}

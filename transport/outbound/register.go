package outbound

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/outrider-go/outrider/registry"
	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
)

// registered is a transport in the registry, with what the manager needs of it.
type registered struct {
	Transport
	name    string // that users know it by
	schemes []string
	abilities
	queued *stats.Metric // from enqueued to the attempt's start; nil without a collector

	attempts *transport.Gate // under way

	ending  transport.Turn // of the one that stops it
	stopped bool           // guarded by ending
}

func newRegistered(t Transport) *registered {
	schemes := t.Schemes()
	r := &registered{Transport: t, name: nameOf(t, schemes), schemes: schemes, abilities: abilitiesOf(t), attempts: transport.NewGate(), ending: transport.NewTurn()}
	if r.collector != nil {
		r.queued = r.collector.Metric("queued")
	}
	return r
}

// owner names the transport to those who register one for the same scheme: they
// write programs, and may have several of a name.
func (r *registered) owner() string { return fmt.Sprintf("%T", r.Transport) }

// start is Start, with an error that names the transport.
func (r *registered) start(ctx context.Context) error {
	if err := r.Start(ctx); err != nil {
		return fmt.Errorf("start transport %s: %w", r.name, err)
	}
	return nil
}

func (r *registered) event() TransportEvent {
	return TransportEvent{Transport: r.name, Schemes: r.schemes}
}

// acquire counts an attempt; false when the transport has been retired.
func (r *registered) acquire() bool { return r.attempts.Enter() }

func (r *registered) release() { r.attempts.Leave() }

// retire refuses new attempts and stops the transport, unless that was done, when
// those under way have ended. ctx bounds the wait.
func (r *registered) retire(ctx context.Context) (now bool, err error) {
	if err := transport.Wait(ctx, r.attempts.Close()); err != nil {
		return false, fmt.Errorf("stop transport %s: attempts are still under way: %w", r.name, err)
	}
	if err := r.ending.Take(ctx); err != nil {
		return false, fmt.Errorf("stop transport %s: %w", r.name, err)
	}
	defer r.ending.Give()
	if r.stopped {
		return false, nil
	}
	err = r.Stop(ctx)
	r.stopped = err == nil
	return r.stopped, err
}

// Register adds a transport for all its schemes, or for none. On a manager that
// has started it starts the transport, too. Errors are [*RegistrationError]; a
// scheme that is taken is one.
func (m *Manager) Register(t Transport) error {
	return m.register(context.Background(), t, func(r *registered) error {
		return m.transports.Register(r.owner(), r, r.schemes...)
	})
}

// Replace is Register, but takes over schemes that are taken. A transport that
// loses its last scheme is stopped once its attempts have ended; ctx bounds that
// wait, and Stop takes it up again.
func (m *Manager) Replace(ctx context.Context, t Transport) error {
	var replaced []*registered
	err := m.register(ctx, t, func(r *registered) error {
		candidates, err := m.transports.Replace(r.owner(), r, r.schemes...)
		replaced = m.unused(candidates)
		return err
	})
	if err != nil {
		return err
	}
	return m.retire(ctx, replaced)
}

// Unregister removes the transport from one scheme, and stops it when that was
// its last. What is queued for the scheme fails, as its retry policy allows, until
// another transport has it.
func (m *Manager) Unregister(ctx context.Context, scheme string) error {
	if err := m.registering.Take(ctx); err != nil {
		return &RegistrationError{Op: "unregister", Scheme: scheme, Err: err}
	}
	r, ok := m.transports.Unregister(scheme)
	var unused []*registered
	if ok {
		unused = m.unused([]*registered{r})
	}
	m.registering.Give()
	if !ok {
		return &RegistrationError{Op: "unregister", Scheme: scheme, Err: ErrUnknownScheme}
	}
	return m.retire(ctx, unused)
}

// Schemes lists the schemes that can be delivered to.
func (m *Manager) Schemes() []string { return m.transports.Schemes() }

// register starts the transport, if the others are started, and adds it.
func (m *Manager) register(ctx context.Context, t Transport, add func(*registered) error) error {
	if registry.IsNil(t) {
		return &RegistrationError{Err: registry.ErrNil}
	}
	if err := m.registering.Take(ctx); err != nil {
		return &RegistrationError{Err: err}
	}
	defer m.registering.Give()
	if m.stopping.Load() {
		return &RegistrationError{Err: ErrStopped}
	}
	if m.has(t) {
		return &RegistrationError{Err: fmt.Errorf("%w: this very transport has its schemes already", registry.ErrDuplicateScheme)}
	}
	r := newRegistered(t)
	if m.live {
		if err := r.start(m.base); err != nil {
			return &RegistrationError{Err: err}
		}
	}
	if err := add(r); err != nil {
		if m.live {
			err = errors.Join(err, r.Stop(m.settling))
		}
		return &RegistrationError{Err: err}
	}
	if m.live {
		m.publish(TopicTransportStarted, r.event())
	}
	return nil
}

// has reports whether a transport is registered: it must not be started again, nor
// stopped, because somebody tries to register it twice.
func (m *Manager) has(t Transport) bool {
	return reflect.ValueOf(t).Comparable() && slices.ContainsFunc(m.inUse(), func(r *registered) bool { return r.Transport == t })
}

func (m *Manager) startTransport(r *registered) error {
	if err := r.start(m.base); err != nil {
		return err
	}
	m.publish(TopicTransportStarted, r.event())
	return nil
}

// stopTransport stops a transport once no attempt uses it any more.
func (m *Manager) stopTransport(ctx context.Context, r *registered) error {
	if now, err := r.retire(ctx); !now {
		return err
	}
	m.publish(TopicTransportStopped, r.event())
	return nil
}

// inUse lists the transports that have a scheme, each once, in the order of their
// schemes.
func (m *Manager) inUse() []*registered {
	seen := map[*registered]bool{}
	var all []*registered
	for _, entry := range m.transports.All() {
		if !seen[entry.Value] {
			seen[entry.Value] = true
			all = append(all, entry.Value)
		}
	}
	return all
}

// unused lists those candidates that have no scheme left, and leaves them to Stop
// until retire is done with them. The caller holds registering, without a break
// since they lost their scheme.
func (m *Manager) unused(candidates []*registered) []*registered {
	used := m.inUse()
	var unused []*registered
	for _, r := range candidates {
		if m.live && !slices.Contains(used, r) && !slices.Contains(m.retiring, r) {
			unused = append(unused, r)
		}
	}
	m.retiring = append(m.retiring, unused...)
	return unused
}

// retire stops transports that are not used any more. What cannot be stopped
// before ctx ends is left to Stop.
func (m *Manager) retire(ctx context.Context, unused []*registered) error {
	var faults []error
	for _, r := range unused {
		if err := m.stopTransport(ctx, r); err != nil {
			faults = append(faults, err)
			continue
		}
		if m.registering.Take(ctx) != nil {
			continue // Stop forgets it
		}
		m.retiring = slices.DeleteFunc(m.retiring, func(other *registered) bool { return other == r })
		m.registering.Give()
	}
	return errors.Join(faults...)
}

// acquireTransport returns the transport of a scheme for one attempt.
func (m *Manager) acquireTransport(scheme string) (*registered, error) {
	r, err := m.transports.Lookup(scheme)
	if err == nil && !r.acquire() {
		r, err = m.transports.Lookup(scheme) // it was just replaced
		if err == nil && !r.acquire() {
			err = ErrStopped
		}
	}
	if err != nil {
		return nil, &DeliveryError{Op: "route", Class: transport.Temporary, Err: err}
	}
	return r, nil
}

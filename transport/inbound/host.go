package inbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
)

// host is a registered transport, and what it sees of the manager.
type host struct {
	Transport
	manager   *Manager
	scheme    string // its name, too
	format    string
	collector *stats.Collector // nil: it has none
	handled   *stats.Metric
	started   bool // guarded by Manager.registering
}

func (m *Manager) newHost(t Transport) (*host, error) {
	h := &host{Transport: t, manager: m, scheme: t.Scheme()}
	if h.scheme == "" {
		return nil, errors.New("it has no scheme")
	}
	if formatter, ok := t.(WireFormatter); ok {
		h.format = formatter.WireFormat()
	}
	if collected, ok := t.(Collected); ok {
		h.collector = collected.Collector()
		h.handled = h.collector.Metric("handle")
	}
	return h, nil
}

// Open implements [Host].
func (h *host) Open(origin *Origin, options SessionOptions) (*Session, error) {
	now := time.Now()
	options.MaxMessageBytes = cmp.Or(options.MaxMessageBytes, DefaultMaxMessageBytes)
	origin.format = cmp.Or(options.WireFormat, h.format)
	s := &Session{
		id: transport.NewID(now).String(), manager: h.manager, host: h, origin: origin,
		options: options, opened: now, left: options.Replies,
	}
	s.routes = s.first[:0]
	if err := h.manager.sessions.add(s); err != nil {
		h.refuse(RefusalOf(err))
		return nil, err
	}
	h.manager.publish(TopicSessionOpened, func() any { return s.event() })
	return s, nil
}

func (h *host) refuse(r Refusal) {
	if h.collector != nil {
		h.collector.CountError(string(r))
	}
}

// received counts a message.
func (h *host) received(size int, took time.Duration, err error) {
	if h.collector == nil {
		return
	}
	h.handled.Observe(took)
	h.collector.AddBytes(0, int64(size))
	if err != nil {
		h.collector.CountError(string(RefusalOf(err)))
	}
}

func (h *host) sent(size int) {
	if h.collector != nil {
		h.collector.AddBytes(int64(size), 0)
	}
}

func (h *host) event() TransportEvent {
	return TransportEvent{Transport: h.scheme, Schemes: []string{h.scheme}, Address: h.Address()}
}

// start starts the transport, once. The caller has registering.
func (h *host) start(ctx context.Context) error {
	if h.started {
		return nil
	}
	if err := h.Start(ctx, h); err != nil {
		return fmt.Errorf("start inbound transport %s: %w", h.scheme, err)
	}
	h.started = true
	h.manager.publish(TopicTransportStarted, func() any { return h.event() })
	return nil
}

// stop stops what was started. The caller has registering.
func (h *host) stop(ctx context.Context) error {
	if !h.started {
		return nil
	}
	e := h.event() // while it knows its address
	if err := h.Stop(ctx); err != nil {
		return fmt.Errorf("stop inbound transport %s: %w", h.scheme, err)
	}
	h.started = false
	h.manager.publish(TopicTransportStopped, func() any { return e })
	return nil
}

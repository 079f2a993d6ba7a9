package wsout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/outbound"
)

// Transport is an [outbound.Transport] for ws and wss. Make one with [New].
type Transport struct {
	outbound.Base

	options    Options
	metrics    metrics
	deliveries sync.Pool // of *delivery

	lifecycle transport.Lifecycle
	running   atomic.Pointer[links]
}

var _ outbound.Checker = (*Transport)(nil)

// New returns a transport that opens nothing before Start. The error joins all
// that is wrong with the options.
func New(options Options) (*Transport, error) {
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("wsout options: %w", err)
	}
	if _, err := egress.New(profile.Default(), options.Egress); err != nil {
		return nil, fmt.Errorf("wsout options: %w", err)
	}
	t := &Transport{options: options.withDefaults()}
	t.deliveries.New = func() any { return newDelivery() }
	t.Format = options.WireFormat
	c := t.Collector()
	t.metrics = metrics{c, c.Metric("handshake"), c.Metric("write"), c.Metric("ack"), c.Metric("total")}
	return t, nil
}

// Schemes implements [outbound.Transport].
func (t *Transport) Schemes() []string { return []string{"ws", "wss"} }

// Start implements [outbound.Transport].
func (t *Transport) Start(ctx context.Context) error {
	return t.lifecycle.StartWith(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.running.Store(newLinks(ctx, t.options, t.metrics, t.Collector().Observer(t.options.Egress.Observe)))
		return nil
	})
}

// Stop implements [outbound.Transport]. It refuses new attempts, waits for those
// under way, and closes every connection with a closing handshake, for which it
// waits until ctx ends. When ctx ends before the attempts, it can be called again.
func (t *Transport) Stop(ctx context.Context) error {
	return t.lifecycle.StopWith(func() error {
		if err := t.running.Load().stop(ctx); err != nil {
			return err
		}
		t.running.Store(nil)
		return nil
	})
}

// MaxEvidence implements [outbound.EvidenceLimiter]: WebSocket knows no broker.
// Where nothing acknowledges, CheckMessage refuses what demands more than written.
func (t *Transport) MaxEvidence() transport.Evidence { return transport.Acknowledged }

// CheckMessage implements [outbound.Checker]: it refuses endpoints that the
// profile's egress policy rules out, demands that no acknowledgement meets,
// payloads that no frame can carry, and metadata that cannot become headers.
func (t *Transport) CheckMessage(_ context.Context, m *outbound.Message) error {
	if err := checkScheme(m.Endpoint); err != nil {
		return &outbound.FieldError{Field: "endpoint", Err: err}
	}
	var tenant *tenant
	var err error
	if running := t.running.Load(); running != nil {
		tenant, err = running.tenant(t.ProfileOf(m))
	} else {
		tenant, err = newTenant(t.ProfileOf(m), t.options, t.options.Egress)
	}
	if err != nil {
		return &outbound.FieldError{Field: "profile", Err: err}
	}
	if err := tenant.dialer.CheckEndpoint(m.Endpoint); err != nil {
		return &outbound.FieldError{Field: "endpoint", Err: err}
	}
	if err := tenant.checkEvidence(m.MinEvidence); err != nil {
		return &outbound.FieldError{Field: "min_evidence", Err: err}
	}
	if err := t.checkPayload(m); err != nil {
		return &outbound.FieldError{Field: "payload", Err: err}
	}
	if _, fault := newHeader(m.Endpoint, m.Metadata); fault != nil {
		return fault
	}
	return nil
}

func checkScheme(e transport.Endpoint) error {
	if scheme := e.Scheme(); scheme != "ws" && scheme != "wss" {
		return fmt.Errorf("scheme %q: want ws or wss", scheme)
	}
	return nil
}

// checkEvidence refuses a demand that nothing can meet.
func (t *tenant) checkEvidence(demanded transport.Evidence) error {
	if demanded <= transport.Written || t.ack != AckNone {
		return nil
	}
	return fmt.Errorf("%s is more than a connection without acknowledgements can give: set the profile's %s", demanded, SettingAck)
}

func (t *Transport) checkPayload(m *outbound.Message) error {
	if len(m.Payload) > t.options.MaxMessageBytes {
		return fmt.Errorf("has %d bytes: at most %d are allowed", len(m.Payload), t.options.MaxMessageBytes)
	}
	if m.Text && !utf8.Valid(m.Payload) {
		return errors.New("is no UTF-8, which text must be (RFC 6455 section 5.6): send it as bytes")
	}
	return nil
}

// HandleMessage implements [outbound.Transport]: it sends one message.
func (t *Transport) HandleMessage(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	started := time.Now()
	running := t.running.Load()
	if running != nil && !running.attempts.Enter() {
		running = nil
	}
	if running != nil {
		defer running.attempts.Leave()
	}
	r := t.attempt(ctx, running, m, started)
	if r.fault == nil {
		return r.receipt, nil // settle has counted it
	}
	fault := *r.fault // which others may share
	fault.Endpoint = m.Endpoint
	t.metrics.total.Observe(time.Since(started))
	t.Collector().CountError(string(fault.Class))
	if fault.MaybeSent {
		t.Collector().AddBytes(int64(len(m.Payload)), 0)
	}
	return outbound.Receipt{}, &fault
}

func (t *Transport) attempt(ctx context.Context, running *links, m *outbound.Message, started time.Time) result {
	tenant, fault := t.ready(ctx, running, m)
	if fault != nil {
		return result{fault: fault}
	}
	d := t.deliveries.Get().(*delivery) //nolint:forcetypeassert // the pool holds nothing else
	*d = delivery{id: m.ID, key: m.IdempotencyKey, payload: m.Payload, text: m.Text, done: d.done, queuedAt: started}
	p, fault := running.submit(tenant, m, d)
	if fault != nil {
		return result{fault: fault}
	}
	select {
	case <-d.done:
		r := d.result
		d.payload = nil
		t.deliveries.Put(d)
		return r
	case <-ctx.Done():
	}
	known, sent := p.abandon(d)
	if known {
		<-d.done
		return d.result
	}
	return result{fault: expired(ctx, sent)}
}

// ready finds the profile's settings. The fault is about the message or its
// profile: nothing was sent.
func (t *Transport) ready(ctx context.Context, running *links, m *outbound.Message) (*tenant, *outbound.DeliveryError) {
	if running == nil {
		return nil, stoppedFault()
	}
	if err := checkScheme(m.Endpoint); err != nil {
		return nil, refusal("prepare", transport.Permanent, codeBadMessage, err)
	}
	if ctx.Err() != nil {
		return nil, expired(ctx, false)
	}
	tenant, err := running.tenant(t.ProfileOf(m))
	if err != nil {
		return nil, refusal("prepare", transport.Temporary, codeBadProfile, err)
	}
	if err := t.checkPayload(m); err != nil {
		return nil, refusal("prepare", transport.Permanent, codeBadMessage, err)
	}
	if err := tenant.checkEvidence(m.MinEvidence); err != nil {
		return nil, refusal("prepare", transport.Temporary, codeNoAck, err) // the profile has changed since
	}
	return tenant, nil
}

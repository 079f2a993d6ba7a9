package wampout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/wamp2"
	"github.com/outrider-go/outrider/wireformat/serializer"
)

// Transport is an [outbound.Transport] for wamp+ws and wamp+wss. Make one with
// [New].
type Transport struct {
	outbound.Base

	options             Options
	json                serializer.Serializer
	publish, call, join *stats.Metric

	lifecycle transport.Lifecycle
	running   atomic.Pointer[sessions]
	release   func() // detaches from Start's context; guarded by lifecycle
}

var _ outbound.Checker = (*Transport)(nil)

// New returns a transport that opens nothing before Start. The error joins all
// that is wrong with the options.
func New(options Options) (*Transport, error) {
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("wampout options: %w", err)
	}
	if _, err := egress.New(profile.Default(), options.Egress); err != nil {
		return nil, fmt.Errorf("wampout options: %w", err)
	}
	json, err := serializer.NewJSON(serializer.Limits{})
	if err != nil {
		return nil, err
	}
	t := &Transport{options: options.withDefaults(), json: json}
	t.Format = options.WireFormat
	collector := t.Collector()
	t.publish, t.call, t.join = collector.Metric("publish"), collector.Metric("call"), collector.Metric("join")
	return t, nil
}

// Schemes implements [outbound.Transport].
func (t *Transport) Schemes() []string { return []string{schemeWS, schemeWSS} }

// Name implements [outbound.Named].
func (t *Transport) Name() string { return name }

// Start implements [outbound.Transport].
func (t *Transport) Start(ctx context.Context) error {
	return t.lifecycle.StartWith(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		fresh := newSessions(ctx, t.options)
		t.release = transport.AfterCancel(ctx, fresh.abort)
		t.running.Store(fresh)
		return nil
	})
}

// Stop implements [outbound.Transport]. It refuses new attempts, waits for those
// under way, and leaves every session. When ctx ends before, it can be called
// again.
func (t *Transport) Stop(ctx context.Context) error {
	return t.lifecycle.StopWith(func() error {
		if err := t.running.Load().stop(ctx); err != nil {
			return fmt.Errorf("stop wamp transport: attempts are under way: %w", err)
		}
		t.release()
		t.running.Store(nil)
		return nil
	})
}

// MaxEvidence implements [outbound.EvidenceLimiter]: a router is a broker.
func (t *Transport) MaxEvidence() transport.Evidence { return transport.Accepted }

// CheckMessage implements [outbound.Checker].
func (t *Transport) CheckMessage(_ context.Context, m *outbound.Message) error {
	target, err := parseTarget(m.Endpoint)
	if err == nil {
		err = egress.CheckEndpoint(t.ProfileOf(m), target.dialed)
	}
	if err != nil {
		return &outbound.FieldError{Field: "endpoint", Err: err}
	}
	_, err = credentialsFor(m.Endpoint, t.ProfileOf(m))
	if err == nil {
		_, err = encryptionOf(t.ProfileOf(m).Settings())
	}
	if err != nil {
		return &outbound.FieldError{Field: "profile", Err: err}
	}
	if target.call && m.MinEvidence > transport.Acknowledged {
		return &outbound.FieldError{Field: "min_evidence", Err: errors.New("a call is acknowledged at most: want acknowledged")}
	}
	if _, err := payloadOf(t.json, m, target.form); err != nil {
		return &outbound.FieldError{Field: "payload", Err: err}
	}
	return nil
}

// HandleMessage implements [outbound.Transport]: it publishes or calls once.
func (t *Transport) HandleMessage(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	running := t.running.Load()
	if running != nil && !running.attempts.Enter() {
		running = nil
	}
	if running != nil {
		defer running.attempts.Leave()
	}
	receipt, fault := t.attempt(ctx, running, m)
	if fault != nil {
		t.Collector().CountError(string(fault.Class))
		return receipt, fault
	}
	t.Collector().AddBytes(int64(len(m.Payload)), int64(len(receipt.Response)))
	return receipt, nil
}

func (t *Transport) attempt(ctx context.Context, running *sessions, m *outbound.Message) (outbound.Receipt, *outbound.DeliveryError) {
	if running == nil {
		return outbound.Receipt{}, fault(m, "prepare", transport.Temporary, codeStopped, false, ErrStopped)
	}
	target, err := parseTarget(m.Endpoint)
	if err != nil {
		return outbound.Receipt{}, fault(m, "prepare", transport.Permanent, codeBadMessage, false, err)
	}
	payload, err := payloadOf(t.json, m, target.form)
	if err != nil {
		return outbound.Receipt{}, fault(m, "prepare", transport.Permanent, codeBadMessage, false, err)
	}
	if ctx.Err() != nil {
		err := context.Cause(ctx)
		return outbound.Receipt{}, fault(m, "prepare", transport.Temporary, contextCode(err), false, err)
	}
	who, err := credentialsFor(m.Endpoint, t.ProfileOf(m))
	if err != nil { // it may be mended
		return outbound.Receipt{}, fault(m, "prepare", transport.Temporary, codeAuth, false, err)
	}
	k := key{t.ProfileOf(m), target.router.String(), target.realm, who.method, who.authID, who.secret.Reveal()}
	e, err := running.get(ctx, k, func(ctx context.Context) (*wamp2.Session, error) {
		return t.newSession(ctx, k.profile, target, who)
	})
	if err != nil {
		return outbound.Receipt{}, joinFault(m, err)
	}
	defer running.release(e)
	if target.call {
		return t.callOnce(ctx, e.session, m, target, payload)
	}
	return t.publishOnce(ctx, e.session, m, target, payload)
}

// newSession joins the realm of a target.
func (t *Transport) newSession(ctx context.Context, p *profile.Profile, to target, who credentials) (*wamp2.Session, error) {
	started := time.Now()
	defer func() { t.join.Observe(time.Since(started)) }()
	options := t.options.Egress
	options.Observe = t.Collector().Observer(t.options.Egress.Observe)
	dialer, err := egress.New(p, options)
	if err != nil {
		return nil, err
	}
	secured := to.router.Scheme == "wss"
	auth, err := who.authenticators(ctx, p, secured)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", wamp2.ErrAuth, err)
	}
	session := wamp2.Options{
		Serializers: t.options.Serializers, Auth: auth, AuthID: who.authID, Codec: t.options.Codec, Style: t.options.Style, MaxMessage: t.options.MaxMessage,
	}
	encrypted, err := encryptionOf(p.Settings())
	if err == nil {
		err = encrypted.apply(ctx, p, &session)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", wamp2.ErrAuth, err)
	}
	dial := dialer.Connect
	if secured {
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.ConnectTLS(ctx, network, address, "http/1.1")
		}
	}
	return wamp2.Join(ctx, dial, to.router, to.realm, session)
}

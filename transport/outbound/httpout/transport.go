package httpout

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/httprules"
	"github.com/outrider-go/outrider/transport/outbound"
)

// name is what errors call the transport.
const name = "http"

// Transport is an [outbound.Transport] for http and https. Make one with [New].
type Transport struct {
	outbound.Base

	options          Options
	userAgent        []string // the header's value, shared and never written
	firstByte, total *stats.Metric
	calls            sync.Pool // of *call

	lifecycle transport.Lifecycle
	running   atomic.Pointer[pools]
	release   func() // detaches from Start's context; guarded by lifecycle
}

var _ outbound.Checker = (*Transport)(nil)

// New returns a transport that opens nothing before Start. The error joins all
// that is wrong with the options.
func New(options Options) (*Transport, error) {
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("httpout options: %w", err)
	}
	if _, err := egress.New(profile.Default(), options.Egress); err != nil {
		return nil, fmt.Errorf("httpout options: %w", err)
	}
	options = options.withDefaults()
	t := &Transport{
		options:   options,
		userAgent: []string{options.UserAgent},
	}
	t.calls.New = func() any { return t.newCall() }
	t.Format = options.WireFormat
	t.firstByte, t.total = t.Collector().Metric("first_byte"), t.Collector().Metric("total")
	return t, nil
}

// Schemes implements [outbound.Transport].
func (t *Transport) Schemes() []string { return []string{"http", "https"} }

// Start implements [outbound.Transport].
func (t *Transport) Start(ctx context.Context) error {
	return t.lifecycle.StartWith(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		fresh := newPools(t.options, t.Collector().Observer(t.options.Egress.Observe))
		t.release = transport.AfterCancel(ctx, func() { fresh.abort() })
		t.running.Store(fresh)
		return nil
	})
}

// Stop implements [outbound.Transport]. It refuses new attempts, waits for those
// under way, and closes every connection. When ctx ends before, it can be called
// again.
func (t *Transport) Stop(ctx context.Context) error {
	return t.lifecycle.StopWith(func() error {
		if err := t.running.Load().stop(ctx); err != nil {
			return err
		}
		t.release()
		t.running.Store(nil)
		return nil
	})
}

// MaxEvidence implements [outbound.EvidenceLimiter]: HTTP knows no broker.
func (t *Transport) MaxEvidence() transport.Evidence { return transport.Acknowledged }

// CheckMessage implements [outbound.Checker]: it refuses endpoints that the
// profile's egress policy rules out, and metadata that cannot become headers.
func (t *Transport) CheckMessage(_ context.Context, m *outbound.Message) error {
	if err := t.checkEndpoint(m); err != nil {
		return &outbound.FieldError{Field: "endpoint", Err: err}
	}
	if _, err := t.ProfileOf(m).Settings().Bool(SettingPermanent4xx, false); err != nil {
		return &outbound.FieldError{Field: "profile", Err: err}
	}
	if err := t.checkHeader(m); err != nil {
		return err
	}
	return nil
}

func checkScheme(e transport.Endpoint) error {
	if scheme := e.Scheme(); scheme != "http" && scheme != "https" {
		return fmt.Errorf("scheme %q: want http or https", scheme)
	}
	return nil
}

func (t *Transport) checkEndpoint(m *outbound.Message) error {
	if err := checkScheme(m.Endpoint); err != nil {
		return err
	}
	p := t.ProfileOf(m)
	if running := t.running.Load(); running != nil {
		if pool := running.known(p); pool != nil {
			return pool.dialer.CheckEndpoint(m.Endpoint)
		}
	}
	// What is wrong in the profile may be mended before the first attempt.
	return egress.CheckEndpoint(p, m.Endpoint)
}

// HandleMessage implements [outbound.Transport]: it makes one POST.
func (t *Transport) HandleMessage(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	started := time.Now()
	running := t.running.Load()
	if running != nil && !running.attempts.Enter() {
		running = nil
	}
	if running != nil {
		defer running.attempts.Leave()
	}
	receipt, fault := t.attempt(ctx, running, m, started)
	t.total.Observe(time.Since(started))
	if fault != nil {
		t.Collector().CountError(string(fault.Class))
		return receipt, fault
	}
	return receipt, nil
}

func (t *Transport) attempt(ctx context.Context, running *pools, m *outbound.Message, started time.Time) (outbound.Receipt, *outbound.DeliveryError) {
	c, fault := t.ready(ctx, running, m, started)
	if fault != nil {
		return outbound.Receipt{}, fault
	}
	resp, err := c.do() //nolint:bodyclose // readAnswer closes it
	if err != nil {
		t.Collector().AddBytes(c.sent(), 0)
		return outbound.Receipt{}, wireFault(ctx, m, c, err)
	}
	t.firstByte.Observe(time.Since(started))
	return t.conclude(ctx, m, c, resp)
}

// ready finds the pool and makes the request. The fault is about the message or
// its profile: nothing was sent.
func (t *Transport) ready(ctx context.Context, running *pools, m *outbound.Message, now time.Time) (*call, *outbound.DeliveryError) {
	fail := func(class transport.Class, code string, err error) (*call, *outbound.DeliveryError) {
		return nil, &outbound.DeliveryError{Op: "prepare", Transport: name, Endpoint: m.Endpoint, Class: class, Code: code, Err: err}
	}
	if running == nil {
		return fail(transport.Temporary, codeStopped, ErrStopped)
	}
	if err := checkScheme(m.Endpoint); err != nil {
		return fail(transport.Permanent, codeBadMessage, err)
	}
	if err := ctx.Err(); err != nil {
		code, cause := describe(ctx, err)
		return fail(transport.Temporary, code, cause)
	}
	pool, err := running.get(t.ProfileOf(m), now)
	if err != nil {
		class, code := egress.Classify(err)
		return fail(class, code, err)
	}
	if pool.transport.Proxy != nil { // it would dial what the guard cannot see
		if err := pool.dialer.CheckEndpoint(m.Endpoint); err != nil {
			class, code := egress.Classify(err)
			return fail(class, code, err)
		}
	}
	c, wrong := t.prepare(ctx, pool, m)
	if wrong != nil {
		return fail(transport.Permanent, codeBadMessage, wrong)
	}
	return c, nil
}

// conclude reads the answer and says what it means.
func (t *Transport) conclude(ctx context.Context, m *outbound.Message, c *call, resp *http.Response) (outbound.Receipt, *outbound.DeliveryError) {
	success := httprules.ClassOf(resp.StatusCode, false) == transport.Success
	keep := t.options.KeepResponse
	if success && t.options.OnReply != nil {
		keep = t.options.MaxResponseBytes
	}
	a := readAnswer(resp, keep, t.options.MaxResponseBytes)
	t.Collector().AddBytes(c.sent(), a.read)
	if a.ended {
		defer t.done(c, resp)
	}
	if !success {
		fault := statusFault(m, t.ProfileOf(m), resp, time.Now())
		fault.Response = mask(a.start, keep, a.whole, m)
		return outbound.Receipt{}, fault
	}
	receipt := outbound.Receipt{
		Evidence: transport.Acknowledged, Code: codeOf(resp), Note: a.note,
		Response: mask(a.start, t.options.KeepResponse, a.whole, m),
	}
	if t.options.OnReply != nil && a.whole && len(a.start) > 0 {
		receipt.Response = bytes.Clone(receipt.Response) // the body goes to somebody else
		reply := Reply{Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: a.start}
		fault := outbound.TakeReply(&receipt, t.options.Logger, func() error { return t.options.OnReply(ctx, m, reply) })
		if fault != nil {
			fault.Transport, fault.Endpoint = name, m.Endpoint
		}
		return receipt, fault
	}
	return receipt, nil
}

package amqpout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/amqp1/verbatim"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/outbound"
)

// name is what errors call the transport.
const name = "amqp"

// Transport is an [outbound.Transport] for amqp and amqps. Make one with [New].
type Transport struct {
	outbound.Base

	options Options
	total   *stats.Metric
	history history
	buffers sync.Pool // of *[]byte, for encoded messages

	lifecycle transport.Lifecycle
	running   atomic.Pointer[running]
}

var (
	_ outbound.Checker         = (*Transport)(nil)
	_ outbound.External        = (*Transport)(nil)
	_ outbound.EvidenceLimiter = (*Transport)(nil)
)

// New returns a transport that opens nothing before Start. The error joins all that
// is wrong with the options.
func New(options Options) (*Transport, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	if _, err := egress.New(profile.Default(), options.Egress); err != nil {
		return nil, fmt.Errorf("amqpout options: %w", err)
	}
	t := &Transport{options: options.withDefaults()}
	t.Format = options.WireFormat
	t.total = t.Collector().Metric("total")
	return t, nil
}

// Schemes implements [outbound.Transport].
func (t *Transport) Schemes() []string { return []string{"amqp", "amqps"} }

// IsExternal implements [outbound.External]: a broker keeps what it accepted.
func (t *Transport) IsExternal() bool { return true }

// MaxEvidence implements [outbound.EvidenceLimiter].
func (t *Transport) MaxEvidence() transport.Evidence { return transport.Accepted }

// Start implements [outbound.Transport].
func (t *Transport) Start(ctx context.Context) error {
	return t.lifecycle.StartWith(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		fresh, err := t.newRunning()
		if err != nil {
			return err
		}
		fresh.release = context.AfterFunc(ctx, fresh.container.Abort)
		t.running.Store(fresh)
		return nil
	})
}

// Stop implements [outbound.Transport]. It refuses new attempts, waits for those
// under way, and closes every connection. When ctx ends before, it can be called
// again.
func (t *Transport) Stop(ctx context.Context) error {
	return t.lifecycle.StopWith(func() error {
		running := t.running.Load()
		if err := running.container.Close(ctx); err != nil {
			return fmt.Errorf("stop amqp transport: %w", err)
		}
		running.release()
		t.running.Store(nil)
		return nil
	})
}

func (t *Transport) newRunning() (*running, error) {
	o := t.options.AMQP
	o.OnEvent, o.Observe = t.onEvent, t.Collector().Observer(t.options.AMQP.Observe)
	if t.options.Logger.Core().Enabled(zap.DebugLevel) {
		o.Trace = t.trace
	}
	container, err := amqp1.New(o)
	if err != nil {
		return nil, err
	}
	return newRunningOn(container, t.options.Egress, t.Collector().Observer(t.options.AMQP.Observe)), nil
}

// onEvent logs what happens to connections and links.
func (t *Transport) onEvent(e amqp1.Event) {
	if t.options.AMQP.OnEvent != nil {
		t.options.AMQP.OnEvent(e)
	}
	switch e.Kind {
	case amqp1.Connected:
		t.options.Logger.Info("amqp connected", zap.String("address", e.Address),
			zap.String("container", e.Peer.ContainerID), zap.String("sasl", e.Peer.Mechanism), zap.String("tls", e.Peer.TLSVersion))
		t.tellState(e, "")
	case amqp1.Disconnected:
		t.options.Logger.Info("amqp disconnected", zap.String("address", e.Address), zap.Error(e.Err))
		t.tellState(e, lossCode(e.Err))
	case amqp1.LinkLost:
		t.options.Logger.Info("amqp link lost", zap.String("address", e.Address), zap.String("node", e.Node), zap.Error(e.Err))
	default: // many for each message: for OnEvent only
	}
}

// tellState tells of a connection.
func (t *Transport) tellState(e amqp1.Event, code string) {
	if t.options.OnState == nil {
		return
	}
	scheme := "amqp"
	if e.TLS {
		scheme = "amqps"
	}
	t.options.OnState(State{
		Connected: e.Kind == amqp1.Connected, Profile: e.Tenant, Endpoint: scheme + "://" + e.Address, Code: code,
	})
}

// lossCode is why a connection is gone, in a word.
func lossCode(err error) string {
	fault, ok := errors.AsType[*amqp1.Error](err)
	if !ok {
		return ""
	}
	if code := conditionCode(fault.Condition); code != "" {
		return code
	}
	return codeLost
}

func (t *Transport) trace(f amqp1.Frame) {
	if t.options.AMQP.Trace != nil {
		t.options.AMQP.Trace(f)
	}
	t.options.Logger.Debug("amqp frame", zap.Bool("sent", f.Sent), zap.Uint16("channel", f.Channel),
		zap.String("performative", f.Performative), zap.Int("size", f.Size), zap.String("fields", f.Fields))
}

// CheckMessage implements [outbound.Checker]: it refuses endpoints that the profile's
// egress policy rules out, options that are not known, metadata that no message can
// have, and a demand for evidence that a settled message cannot meet.
func (t *Transport) CheckMessage(_ context.Context, m *outbound.Message) error {
	p := t.ProfileOf(m)
	r, err := newRoute(p, m.Endpoint)
	if err == nil {
		err = egress.CheckEndpoint(p, m.Endpoint)
	}
	if err != nil {
		return &outbound.FieldError{Field: "endpoint", Err: err}
	}
	if r.settled && max(m.MinEvidence, p.MinEvidence()) > transport.Written {
		return &outbound.FieldError{Field: "min_evidence", Err: errors.New("a message that is sent as settled gives written at most: remove the option settled")}
	}
	if _, wrong := r.fill(m); wrong != nil {
		return wrong
	}
	return nil
}

// HandleMessage implements [outbound.Transport]: it makes one transfer, and waits
// for its outcome.
func (t *Transport) HandleMessage(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	started := time.Now()
	receipt, fault := t.attempt(ctx, m, started)
	t.total.Observe(time.Since(started))
	if fault == nil || fault.MaybeSent {
		t.Collector().AddBytes(int64(len(m.Payload)), 0)
	}
	if fault != nil {
		t.Collector().CountError(string(fault.Class))
		return receipt, fault
	}
	return receipt, nil
}

func (t *Transport) attempt(ctx context.Context, m *outbound.Message, now time.Time) (outbound.Receipt, *outbound.DeliveryError) {
	prepare := func(class transport.Class, code string, err error) (outbound.Receipt, *outbound.DeliveryError) {
		return outbound.Receipt{}, &outbound.DeliveryError{Op: "prepare", Transport: name, Endpoint: m.Endpoint, Class: class, Code: code, Err: err}
	}
	running := t.running.Load()
	if running == nil {
		return prepare(transport.Temporary, codeStopped, ErrStopped)
	}
	if err := ctx.Err(); err != nil {
		return prepare(transport.Temporary, codeCanceled, err)
	}
	r, err := running.route(t.ProfileOf(m), m.Endpoint)
	if err != nil {
		return prepare(transport.Permanent, codeBadMessage, err)
	}
	template, wrong := r.fill(m)
	if wrong != nil {
		return prepare(transport.Permanent, codeBadMessage, wrong)
	}
	id, scratch := m.ID.String(), t.scratch()
	encoded, err := template.build(m, id, t.history.annotations(m.ID), now, *scratch)
	if err != nil {
		return prepare(transport.Permanent, codeBadMessage, err)
	}
	message := verbatim.Message(encoded)
	message.DeliveryTag = tagOf(m)
	outcome, err := r.sender.Send(ctx, message, amqp1.SendOptions{
		Settled: r.settled, Key: id, Bytes: len(m.Payload),
	})
	if err != nil {
		return outbound.Receipt{}, t.sendFault(r.route, m, err, now)
	}
	t.recycle(scratch, encoded)
	return t.conclude(r.route, m, outcome)
}

// mostRecycled is how long a buffer may be that is used again.
const mostRecycled = 64 << 10

func (t *Transport) scratch() *[]byte {
	if known, ok := t.buffers.Get().(*[]byte); ok {
		return known
	}
	return new([]byte)
}

// recycle takes a buffer back. It is for messages whose outcome is known: they have been
// written, and go-amqp has copied them before. Who listens to events may still look at
// the message.
func (t *Transport) recycle(scratch *[]byte, used []byte) {
	if t.options.AMQP.OnEvent == nil && cap(used) <= mostRecycled {
		*scratch = used
		t.buffers.Put(scratch)
	}
}

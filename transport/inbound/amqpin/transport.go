package amqpin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/inbound"
)

// Transport is an [inbound.Transport] for amqp and amqps. Make one with [New].
type Transport struct {
	inbound.Base

	profile  *profile.Profile
	endpoint transport.Endpoint
	options  Options
	remote   amqp1.Remote // without a dialer
	source   amqp1.Source

	lifecycle transport.Lifecycle
	running   atomic.Pointer[running]
}

// running is what there is between Start and Stop.
type running struct {
	t         *Transport
	container *amqp1.Container
	receiver  *amqp1.Receiver
	session   *inbound.Session
	taking    context.Context //nolint:containedctx // ends when nothing more is to be received
	quit      context.CancelFunc
	workers   sync.WaitGroup
	release   func() bool // detaches from Start's context
}

// New returns a transport that receives from the node that the endpoint names,
// over connections of the profile, which decides what may be reached and has the
// credentials. It opens nothing before it is started.
func New(p *profile.Profile, endpoint transport.Endpoint, options Options) (*Transport, error) {
	t := &Transport{profile: p, endpoint: endpoint, options: options, source: options.Source}
	uri, err := amqp1.ParseURI(p, endpoint)
	if err == nil {
		t.remote, t.source.Address = uri.Remote, uri.Node
		err = t.readOptions(uri.Options)
	}
	if err == nil && (t.options.Concurrency < 0 || t.options.Concurrency > maxConcurrency) {
		err = fmt.Errorf("concurrency: want 1 to %d", maxConcurrency)
	}
	if err == nil {
		_, err = amqp1.New(options.AMQP)
	}
	if err == nil {
		err = t.source.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("amqpin: %v: %w", endpoint, err)
	}
	t.options.Concurrency = cmp.Or(t.options.Concurrency, 1)
	if t.options.Logger == nil {
		t.options.Logger = zap.NewNop()
	}
	t.Format = options.WireFormat
	return t, nil
}

// Scheme implements [inbound.Transport].
func (t *Transport) Scheme() string { return t.endpoint.Scheme() }

// Address implements [inbound.Transport]: the URL, redacted.
func (t *Transport) Address() string {
	if t.running.Load() == nil {
		return ""
	}
	return t.endpoint.String()
}

// Start implements [inbound.Transport]. It does not wait for the broker: the link is
// attached when it can be.
func (t *Transport) Start(ctx context.Context, host inbound.Host) error {
	return t.lifecycle.StartWith(func() error {
		now, err := t.newRunning(host)
		if err != nil {
			return err
		}
		now.release = context.AfterFunc(ctx, func() {
			now.quit()
			now.container.Abort()
		})
		for range t.options.Concurrency {
			now.workers.Go(now.receive)
		}
		t.running.Store(now)
		return nil
	})
}

func (t *Transport) newRunning(host inbound.Host) (*running, error) {
	dialing := t.options.Egress
	dialing.Observe = t.Collector().Observer(t.options.Egress.Observe)
	dialer, err := egress.New(t.profile, dialing)
	if err != nil {
		return nil, err
	}
	if err := dialer.CheckEndpoint(t.endpoint); err != nil {
		return nil, err
	}
	options := t.options.AMQP
	options.Observe, options.OnEvent = t.Collector().Observer(options.Observe), t.onEvent
	container, err := amqp1.New(options)
	if err != nil {
		return nil, err
	}
	remote := t.remote
	remote.Dialer = dialer
	now := &running{t: t, container: container}
	if now.receiver, err = container.Receiver(remote, t.source); err != nil {
		return nil, errors.Join(err, container.Close(context.Background()))
	}
	now.session, err = host.Open(&inbound.Origin{Scheme: t.Scheme(), Remote: t.endpoint.Address(), Path: t.source.Address},
		inbound.SessionOptions{MaxMessageBytes: int(min(cmp.Or(t.source.MaxMessageSize, amqp1.DefaultMaxMessageSize), 1<<30))})
	if err != nil {
		return nil, errors.Join(err, container.Close(context.Background()))
	}
	now.taking, now.quit = context.WithCancel(context.Background())
	return now, nil
}

func (t *Transport) onEvent(e amqp1.Event) {
	if e.Kind == amqp1.LinkLost || e.Kind == amqp1.Disconnected && e.Err != nil {
		t.options.Logger.Warn("inbound amqp link", zap.String("event", string(e.Kind)), zap.Stringer("endpoint", t.endpoint), zap.Error(e.Err))
	}
	if t.options.AMQP.OnEvent != nil {
		t.options.AMQP.OnEvent(e)
	}
}

// Stop implements [inbound.Transport]. What was received is handled and settled;
// what the peer has sent ahead goes back to it.
func (t *Transport) Stop(ctx context.Context) error {
	return t.lifecycle.StopWith(func() error {
		now := t.running.Load()
		now.quit()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			now.workers.Wait()
		}()
		if err := transport.Wait(ctx, ended); err != nil {
			return fmt.Errorf("messages are being handled: %w", err)
		}
		now.receiver.Close()
		now.session.Close()
		if err := now.container.Close(ctx); err != nil {
			return err
		}
		now.release()
		t.running.Store(nil)
		return nil
	})
}

// receive has messages handled, one at a time, until the transport is stopped. While
// they are given back, which has most brokers deliver them again at once, it pauses.
func (r *running) receive() {
	returned := 0 // in a row
	for r.taking.Err() == nil {
		d, err := r.receiver.Receive(r.taking)
		switch {
		case err == nil && r.handle(d):
			returned++
			r.pause(returned)
		case err == nil:
			returned = 0
		case r.taking.Err() != nil || errors.Is(err, amqp1.ErrClosed):
			return
		default: // the next call waits before it tries again
			r.t.Collector().CountError("refused")
			r.t.options.Logger.Error("nothing can be received", zap.Stringer("endpoint", r.t.endpoint), zap.Error(err))
		}
	}
}

// pause waits longer with each message that was given back.
func (r *running) pause(returned int) {
	timer := time.NewTimer(min(firstPause<<min(returned-1, 10), lastPause))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.taking.Done():
	}
}

// Bounds of the pause after a message that was given back.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = time.Second
)

// handle has one message handled, and settles it. It reports whether it was given
// back. Where the handler ends its goroutine, the message has failed, and another one
// goes on.
func (r *running) handle(d *amqp1.Delivery) (returned bool) {
	fate := errExited
	defer func() {
		if fate == errExited { //nolint:errorlint // nobody wraps it
			r.settle(d, fate)
			r.workers.Go(func() {
				r.pause(1)
				r.receive()
			})
		}
	}()
	fate = r.take(d)
	r.settle(d, fate)
	return fate != nil && isReturned(fate)
}

var errExited = errors.New("the handler ended its goroutine")

func (r *running) settle(d *amqp1.Delivery, fate error) {
	if err := settle(d, fate); err != nil { // it will be delivered again
		r.t.Collector().CountError("unsettled")
		r.t.options.Logger.Warn("a message could not be settled", zap.Stringer("endpoint", r.t.endpoint), zap.Error(err))
	}
}

func (r *running) take(d *amqp1.Delivery) error {
	m, err := d.Message(value.Limits{})
	if err != nil {
		return fmt.Errorf("%w: %w", inbound.ErrMalformed, err)
	}
	frame, err := frameOf(m)
	if err != nil {
		return err
	}
	return r.session.Receive(r.taking, frame)
}

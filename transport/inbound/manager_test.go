package inbound_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
)

// refusing is a transport that does not start.
type refusing struct{ inboundtest.Memory }

func (*refusing) Start(context.Context, inbound.Host) error { return errors.New("port is taken") }

func TestStartFails(t *testing.T) {
	t.Parallel()
	m, err := inbound.New(ignore, inbound.Options{})
	send(t, err)
	first := &inboundtest.Memory{}
	send(t, m.Register(first))
	send(t, m.Register(&refusing{}))
	if err := m.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "port is taken") || !strings.Contains(err.Error(), "start inbound transport mem: ") {
		t.Errorf("%v", err)
	}
	if first.Address() != "" {
		t.Error("the first transport is not stopped")
	}
	if err := m.Start(t.Context()); err == nil {
		t.Error("a second Start succeeds")
	}
	send(t, m.Stop(t.Context()))
}

func TestRegister(t *testing.T) {
	t.Parallel()
	bus := event.New(event.Options{})
	defer bus.Close(t.Context())
	started, err := bus.Subscribe("transport::.*", event.SubscribeOptions{})
	send(t, err)
	a := start(t, ignore, inbound.Options{Events: bus})
	if err := a.Register(a.mem); err == nil {
		t.Error("a transport is registered twice")
	}
	var none *inboundtest.Memory
	if err := a.Register(none); err == nil {
		t.Error("a nil transport is registered")
	}
	second := &inboundtest.Memory{}
	send(t, a.Register(second))
	if second.Address() == "" {
		t.Error("it is not started")
	}
	if got := a.Addresses(); len(got) != 2 {
		t.Errorf("the addresses are %v", got)
	}
	c, err := second.Dial(origin())
	send(t, err)
	send(t, a.Unregister(t.Context(), second))
	if second.Address() != "" || c.Send(t.Context(), text("x")) == nil {
		t.Error("it is not stopped")
	}
	if err := a.Unregister(t.Context(), second); err == nil {
		t.Error("it is unregistered twice")
	}
	if err := a.Register(&refusing{}); err == nil || len(a.Addresses()) != 1 {
		t.Errorf("%v, %v", err, a.Addresses())
	}
	for _, want := range []string{inbound.TopicTransportStarted, inbound.TopicTransportStarted, inbound.TopicTransportStopped} {
		e, err := started.Wait(t.Context(), nil)
		send(t, err)
		if p := e.Payload.(inbound.TransportEvent); e.Topic != want || p.Address != "mem://here" || p.Transport != "mem" {
			t.Errorf("%s: %+v, want %s", e.Topic, e.Payload, want)
		}
	}
}

// listed is a transport whose value cannot be compared.
type listed []string

func (listed) Scheme() string                            { return "listed" }
func (listed) Start(context.Context, inbound.Host) error { return nil }
func (listed) Stop(context.Context) error                { return nil }
func (listed) Address() string                           { return "" }

// TestRegisterWhatCannotBeCompared: two such are two, and neither is found again.
func TestRegisterWhatCannotBeCompared(t *testing.T) {
	t.Parallel()
	m, err := inbound.New(ignore, inbound.Options{})
	send(t, err)
	send(t, m.Register(listed{}))
	send(t, m.Register(listed{}))
	if err := m.Unregister(t.Context(), listed{}); err == nil || !strings.Contains(err.Error(), "pointer") {
		t.Errorf("got %v", err)
	}
	send(t, m.Stop(t.Context()))
}

func TestStop(t *testing.T) {
	t.Parallel()
	m, err := inbound.New(ignore, inbound.Options{})
	send(t, err)
	send(t, m.Stop(t.Context())) // before Start
	send(t, m.Stop(t.Context()))
	if err := m.Start(t.Context()); err == nil {
		t.Error("Start after Stop succeeds")
	}
	if err := m.Register(&inboundtest.Memory{}); !errors.Is(err, inbound.ErrStopped) {
		t.Errorf("Register after Stop: %v, want ErrStopped", err)
	}
}

// TestStopIsBounded: when its context ends, Stop returns, and may go on later.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var a *agent
		a = start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
			<-release
			a.Addresses() // nobody is to wait for that
			return nil, nil
		}, inbound.Options{})
		c := a.dial(t)
		handled := make(chan error, 1)
		go func() { handled <- c.Send(t.Context(), text("x")) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's error", err)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- a.Stop(t.Context()) }()
		synctest.Wait()
		if err := a.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("beside another Stop: %v, want the context's error", err)
		}
		close(release)
		send(t, <-stopped)
		send(t, <-handled)
		send(t, a.Stop(t.Context()))
	})
}

// TestHardStop: cancelling Start's context ends handlers and connections.
func TestHardStop(t *testing.T) {
	t.Parallel()
	m, err := inbound.New(func(ctx context.Context, _ *inbound.Message) (*inbound.Reply, error) {
		<-ctx.Done()
		return &inbound.Reply{}, nil
	}, inbound.Options{Unsent: func(ctx context.Context, _ *inbound.Message, _ *inbound.Reply) error { return ctx.Err() }})
	send(t, err)
	mem := &inboundtest.Memory{}
	send(t, m.Register(mem))
	ctx, cancel := context.WithCancel(t.Context())
	send(t, m.Start(ctx))
	c, err := mem.Dial(origin())
	send(t, err)
	handled := make(chan struct{})
	go func() {
		defer close(handled)
		_ = c.Send(t.Context(), text("x")) // whatever comes of it
	}()
	for len(m.Sessions()) == 0 {
		<-time.After(time.Millisecond)
	}
	cancel()
	<-handled
	send(t, m.Stop(context.WithoutCancel(t.Context())))
	if n := len(m.Sessions()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := inbound.New(ignore, inbound.Options{Handlers: -1, MaxBytes: -1, ReplyWait: -1})
	for _, want := range []string{"Handlers", "MaxBytes", "ReplyWait"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s named", err, want)
		}
	}
	if _, err := inbound.New(nil, inbound.Options{}); err == nil {
		t.Error("a nil handler is taken")
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	bus := event.New(event.Options{})
	defer bus.Close(t.Context())
	all, err := bus.Subscribe("test::(session|inbound-message)::.*", event.SubscribeOptions{})
	send(t, err)
	a := start(t, ignore, inbound.Options{Events: bus, TopicPrefix: "test::", Tenants: peers(t)})
	c := a.dial(t, "Peer", "k")
	send(t, c.Send(t.Context(), jsonFrame(t, map[string]any{"@id": "7"})))
	c.Close()
	for _, want := range []string{inbound.TopicSessionOpened, inbound.TopicReceived, inbound.TopicSessionClosed} {
		e, err := all.Wait(t.Context(), nil)
		send(t, err)
		if e.Topic != "test::"+want {
			t.Fatalf("the event is %s, want %s", e.Topic, want)
		}
		switch got := e.Payload.(type) {
		case inbound.MessageEvent:
			if got.Session != c.Session().ID() || got.Peer != "k" || got.Profile != "default" || got.Thread != "7" || got.Format != "json" || got.Bytes != 11 {
				t.Errorf("%+v", got)
			}
		case inbound.SessionEvent:
			if got.Session != c.Session().ID() || got.Remote != "peer:1" {
				t.Errorf("%+v", got)
			}
		}
	}
}

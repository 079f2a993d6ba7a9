package outbound_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// driver is a transport for the scheme "test" that does as the test says.
type driver struct {
	outbound.Base
	schemes []string
	handle  func(ctx context.Context, m *outbound.Message) error

	mu       sync.Mutex
	started  int
	stopped  int
	attempts []attempt
	now      int // attempts under way
	most     int // at once
}

type attempt struct {
	at       time.Time
	endpoint string
	message  outbound.Message
}

func (d *driver) Schemes() []string {
	if d.schemes == nil {
		return []string{"test"}
	}
	return d.schemes
}

func (d *driver) Start(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.started++
	return nil
}

func (d *driver) Stop(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped++
	return nil
}

func (d *driver) HandleMessage(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	d.mu.Lock()
	d.attempts = append(d.attempts, attempt{time.Now(), m.Endpoint.String(), *m})
	d.now++
	d.most = max(d.most, d.now)
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.now--
		d.mu.Unlock()
	}()
	if d.handle != nil {
		if err := d.handle(ctx, m); err != nil {
			return outbound.Receipt{}, err
		}
	}
	return outbound.Receipt{Evidence: transport.Acknowledged, Code: "ok"}, nil
}

func (d *driver) seen() []attempt {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]attempt(nil), d.attempts...)
}

// fixture is a manager over a store in memory.
type fixture struct {
	*outbound.Manager
	t      *testing.T
	store  queue.Store
	driver *driver
	events *event.Subscription
	cancel context.CancelFunc // the hard stop
}

// start runs a manager until the test ends. Call it inside a synctest bubble.
func start(t *testing.T, d *driver, options outbound.Options) *fixture {
	t.Helper()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
	return startOver(t, store, d, options)
}

// startWith is start with any transport.
func startWith(t *testing.T, d outbound.Transport, options outbound.Options) *fixture {
	t.Helper()
	f := start(t, nil, options)
	if err := f.Register(d); err != nil {
		t.Fatal(err)
	}
	return f
}

// startOver is start with a store that may hold messages already.
func startOver(t *testing.T, store queue.Store, d *driver, options outbound.Options) *fixture {
	t.Helper()
	m, err := outbound.New(store, options)
	if err != nil {
		t.Fatal(err)
	}
	events, err := m.Events().Subscribe(".*", event.SubscribeOptions{Buffer: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	if d != nil {
		if err := m.Register(d); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	f := &fixture{m, t, store, d, events, cancel}
	t.Cleanup(f.close)
	return f
}

func (f *fixture) close() {
	f.cancel()
	if _, err := f.Stop(context.Background()); err != nil {
		f.t.Errorf("Stop: %v", err)
	}
	f.events.Close()
}

// send queues a message and returns its id.
func (f *fixture) send(uri string, change func(*outbound.Message)) transport.ID {
	f.t.Helper()
	m := outbound.Message{Endpoint: endpoint(f.t, uri), Payload: []byte("hello")}
	if change != nil {
		change(&m)
	}
	accepted, err := f.Send(f.t.Context(), m)
	if err != nil {
		f.t.Fatalf("Send: %v", err)
	}
	return accepted.ID
}

func endpoint(t *testing.T, uri string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(uri)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (f *fixture) record(id transport.ID) queue.Record {
	f.t.Helper()
	r, err := f.Get(f.t.Context(), id, true)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f *fixture) wantResult(id transport.ID, want queue.Result) {
	f.t.Helper()
	if r := f.record(id); r.Result != want {
		f.t.Errorf("result = %q (state %s), want %q", r.Result, r.State, want)
	}
}

// topics drains the events so far and lists the topics about one message.
func (f *fixture) topics(id transport.ID) []string {
	f.t.Helper()
	synctest.Wait()
	var topics []string
	for {
		select {
		case e := <-f.events.Events():
			if m, ok := e.Payload.(outbound.MessageEvent); ok && m.ID == id {
				topics = append(topics, e.Topic)
			}
		default:
			return topics
		}
	}
}

func (f *fixture) wantTopics(id transport.ID, want ...string) {
	f.t.Helper()
	got := f.topics(id)
	if len(got) != len(want) {
		f.t.Fatalf("events = %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != "outbound-message::"+want[i] {
			f.t.Fatalf("events = %q, want %q", got, want)
		}
	}
}

// inBubble runs a test with fake time.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// pass lets fake time pass.
func pass(d time.Duration) { <-time.After(d) }

var errBroken = errors.New("broken")

// fail is a transport's error of a class.
func fail(class transport.Class) *outbound.DeliveryError {
	return &outbound.DeliveryError{Op: "test", Transport: "test", Class: class, Err: errBroken}
}

package amqp1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// dataMessage is an encoded message with a body of data.
func dataMessage(body string) []byte {
	return amqppeer.Append([]byte{0, 0x53, 0x75}, []byte(body))
}

func newTestReceiver(t testing.TB, p *amqppeer.Peer, options Options, source Source) *Receiver {
	t.Helper()
	if source.Address == "" && !source.Dynamic {
		source.Address = "q"
	}
	r, err := newContainer(t, options).Receiver(remoteOf(t, p), source)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReceive(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{})
	const n = 3000 // more than the credit
	for i := range n {
		p.Put("q", dataMessage(fmt.Sprint(i)))
	}
	r := newTestReceiver(t, p, Options{}, Source{})
	for i := range n {
		d, err := r.Receive(within(t, soon))
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.Message(value.Limits{})
		if err != nil || string(bytes.Join(m.Data, nil)) != fmt.Sprint(i) {
			t.Fatalf("message %d: %q, %v", i, d.Encoded(), err)
		}
		if err := d.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := r.Receive(within(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", d, err)
	}
}

// TestSettle: the peer learns every outcome as it was said.
func TestSettle(t *testing.T) {
	t.Parallel()
	states := make(chan any, 10)
	p := startPeer(t, amqppeer.Options{Script: func(_ *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code == amqppeer.Disposition {
			states <- f.Field(4)
		}
		return false
	}})
	r := newTestReceiver(t, p, Options{}, Source{})
	described := func(code uint64, fields ...any) string {
		return fmt.Sprint(amqppeer.Described{Descriptor: code, Value: fields})
	}
	for _, c := range []struct {
		name   string
		settle func(*Delivery) error
		want   string
	}{
		{"accept", (*Delivery).Accept, described(amqppeer.StateAccepted)},
		{"reject", func(d *Delivery) error { return d.Reject(InvalidField, "no") },
			described(amqppeer.StateRejected, amqppeer.Described{Descriptor: uint64(amqppeer.ErrorList), Value: []any{amqppeer.Symbol("amqp:invalid-field"), "no"}})},
		{"reject plainly", func(d *Delivery) error { return d.Reject("", "") }, described(amqppeer.StateRejected)},
		{"release", (*Delivery).Release, described(amqppeer.StateReleased)},
		{"modify", func(d *Delivery) error { return d.Modify(true, true, Annotations{"x-opt-why": "full"}) },
			described(amqppeer.StateModified, true, true, amqppeer.Map{amqppeer.Symbol("x-opt-why"), "full"})},
	} {
		p.Put("q", dataMessage(c.name))
		d, err := r.Receive(within(t, soon))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.settle(d); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := fmt.Sprint(<-states); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if c.name == "release" || c.name == "modify" { // it comes again
			d, err := r.Receive(within(t, soon))
			if err != nil {
				t.Fatal(err)
			}
			_ = d.Accept()
			<-states
		}
	}
}

// TestReceiveAnything: types that go-amqp does not know arrive as they are.
func TestReceiveAnything(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{})
	long := bytes.Repeat([]byte("x"), 100<<10) // several transfers
	for _, encoded := range [][]byte{
		append([]byte{0, 0x53, 0x77}, 0x73, 0, 1, 0xf6, 0),                                                              // char
		append([]byte{0, 0x53, 0x77, 0x94}, make([]byte, 16)...),                                                        // decimal128
		amqppeer.Append([]byte{0, 0x53, 0x77}, amqppeer.Described{Descriptor: amqppeer.Symbol("x:y"), Value: uint8(1)}), // described
		amqppeer.Append([]byte{0, 0x53, 0x72}, amqppeer.Map{uint64(7), "ulong key"}),
		dataMessage(string(long)),
	} {
		p.Put("q", encoded)
	}
	r := newTestReceiver(t, p, Options{}, Source{})
	for i := range 5 {
		d, err := r.Receive(within(t, soon))
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if _, err := d.Message(value.Limits{}); err != nil {
			t.Errorf("message %d: %x: %v", i, d.Encoded()[:10], err)
		}
		if i == 4 && !bytes.HasSuffix(d.Encoded(), long) {
			t.Errorf("%d bytes arrived", len(d.Encoded()))
		}
		if err := d.Accept(); err != nil {
			t.Error(err)
		}
	}
}

// TestCredit: it is given once, and again when little is left.
func TestCredit(t *testing.T) {
	t.Parallel()
	credits := make(chan uint32, 10)
	p := startPeer(t, amqppeer.Options{Script: func(_ *amqppeer.Conn, f *amqppeer.Frame) bool {
		if _, ofLink := f.Field(4).(uint32); f.Code == amqppeer.Flow && ofLink {
			credits <- f.Uint32(6)
		}
		return false
	}})
	for range 100 {
		p.Put("q", dataMessage("x"))
	}
	r := newTestReceiver(t, p, Options{}, Source{Credit: 10, CreditThreshold: 4})
	for range 5 {
		if _, err := r.Receive(within(t, soon)); err != nil {
			t.Fatal(err)
		}
	}
	if first := <-credits; first != 10 || len(credits) != 0 {
		t.Fatalf("credit %d, and %d more flows", first, len(credits))
	}
	if _, err := r.Receive(within(t, soon)); err != nil {
		t.Fatal(err)
	}
	<-credits
	if waiting := p.Waiting("q"); waiting != 100-16 {
		t.Errorf("%d messages wait at the peer, want 84: 6 were taken, and 10 sent ahead", waiting)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]bool{"the peer answers a drain": true, "the peer does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, amqppeer.Options{Script: func(_ *amqppeer.Conn, f *amqppeer.Frame) bool {
				return f.Code == amqppeer.Flow && f.Bool(8) && !answers
			}})
			r := newTestReceiver(t, p, Options{}, Source{Fetch: true})
			if d, err := r.Receive(within(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%v, %v", d, err)
			}
			p.Put("q", dataMessage("1"))
			p.Put("q", dataMessage("2"))
			if waiting := p.Waiting("q"); waiting != 2 {
				t.Errorf("%d messages wait: nobody fetches", waiting)
			}
			for range 2 {
				d, err := r.Receive(within(t, soon))
				if err != nil {
					t.Fatal(err)
				}
				_ = d.Accept()
			}
		})
	}
}

// TestReceiveThroughFailures: connections end under the receiver, and every message
// comes all the same.
func TestReceiveThroughFailures(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{})
	const n = 500
	for i := range n {
		p.Put("q", dataMessage(fmt.Sprint(i)))
	}
	r := newTestReceiver(t, p, Options{}, Source{Credit: 50})
	seen := map[string]bool{}
	for i := 0; len(seen) < n; i++ {
		if i == 100 || i == 250 {
			p.Sever()
		}
		d, err := r.Receive(within(t, soon))
		if err != nil {
			t.Fatalf("after %d messages: %v", len(seen), err)
		}
		if err := d.Accept(); err == nil {
			seen[string(d.Encoded())] = true
		}
	}
	if n := p.Connections.Load(); n < 3 {
		t.Errorf("%d connections", n)
	}
}

func TestReceiverRefused(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{Refuse: func(string) *amqppeer.Error {
		return &amqppeer.Error{Condition: "amqp:not-found"}
	}})
	r := newTestReceiver(t, p, Options{RefusedFor: 50 * time.Millisecond}, Source{})
	for range 2 {
		_, err := r.Receive(within(t, soon))
		if fault := wantFault(t, err, ErrRefused, false); fault.Condition != NotFound {
			t.Errorf("condition %q", fault.Condition)
		}
	}
}

func TestCloseWhileReceiving(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{})
	open := make(chan struct{}, 1)
	r := newTestReceiver(t, p, Options{OnEvent: func(e Event) {
		if e.Kind == LinkReady {
			open <- struct{}{}
		}
	}}, Source{Dynamic: true})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			_, err := r.Receive(within(t, soon))
			if !errors.Is(err, ErrClosed) {
				t.Errorf("err = %v", err)
			}
		})
	}
	<-open
	if r.Address() == "" {
		t.Error("the peer's name for the node is not known")
	}
	r.Close()
	group.Wait()
	r.Close()
}

func TestSourceIsChecked(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Source{
		"no address":      {},
		"two addresses":   {Address: "q", Dynamic: true},
		"durability":      {Address: "q", Durability: 3},
		"expiry policy":   {Address: "q", ExpiryPolicy: "soon"},
		"too much credit": {Address: "q", Credit: 5001},
		"threshold":       {Address: "q", Credit: 10, CreditThreshold: 10},
		"filter":          {Address: "q", Filters: []Filter{{}}},
	} {
		if err := s.Validate(); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// attachAndDetach is a peer that attaches links and ends them at once, as rhea does
// to refuse one.
func attachAndDetach(c *amqppeer.Conn, f *amqppeer.Frame, receives bool, condition string) {
	c.Send(f.Channel, amqppeer.Attach, f.Field(0), f.Field(1), receives, nil, nil, f.Field(5), f.Field(6), nil, nil, uint32(0))
	c.Send(f.Channel, amqppeer.Detach, f.Field(1), true, amqppeer.Described{
		Descriptor: uint64(amqppeer.ErrorList), Value: []any{amqppeer.Symbol(condition)},
	})
}

// TestReceiverRefusedAfterTheAttach: it is told as any refusal is.
func TestReceiverRefusedAfterTheAttach(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{Script: func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code == amqppeer.Attach {
			attachAndDetach(c, f, false, "amqp:not-found")
		}
		return f.Code == amqppeer.Attach
	}})
	r := newTestReceiver(t, p, Options{RefusedFor: 50 * time.Millisecond}, Source{})
	for range 2 {
		began := time.Now()
		_, err := r.Receive(within(t, soon))
		if fault := wantFault(t, err, ErrRefused, false); fault.Condition != NotFound {
			t.Errorf("condition %q", fault.Condition)
		}
		if took := time.Since(began); took > soon/2 {
			t.Errorf("after %v", took)
		}
	}
}

// TestLinkThatDoesNotLast: a peer that ends each link at once is not asked again
// without a pause.
func TestLinkThatDoesNotLast(t *testing.T) {
	t.Parallel()
	const attaches = 8
	began := time.Now()
	enough := make(chan struct{})
	count := 0 // attaches come one after the other
	p := startPeer(t, amqppeer.Options{Script: func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code != amqppeer.Attach {
			return false
		}
		attachAndDetach(c, f, false, "amqp:link:detach-forced")
		if count++; count == attaches {
			close(enough)
		}
		return true
	}})
	r := newTestReceiver(t, p, Options{}, Source{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := r.Receive(ctx)
		ended <- err
	}()
	select {
	case <-enough:
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(3 * soon):
		return // it waits long
	}
	// The waits are random: their spans are 100 ms, and twice as much after each.
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("%d attaches in %v", attaches, took)
	}
	cancel()
	<-ended
}

// TestFetchTogether: who gives up does not take the credit of those who wait on.
func TestFetchTogether(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{})
	r := newTestReceiver(t, p, Options{}, Source{Fetch: true})
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			d, err := r.Receive(within(t, soon))
			if err != nil {
				t.Errorf("one who is patient: %v", err)
				return
			}
			_ = d.Accept()
		})
	}
	for range 5 {
		if d, err := r.Receive(within(t, 20*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", d, err)
		}
	}
	for range 3 {
		p.Put("q", dataMessage("x"))
	}
	group.Wait()
}

// TestModifyWhereThePeerCannot: RabbitMQ 3 names the outcomes that it knows, and ends
// the session over another.
func TestModifyWhereThePeerCannot(t *testing.T) {
	t.Parallel()
	states := make(chan any, 1)
	p := startPeer(t, amqppeer.Options{Script: func(_ *amqppeer.Conn, f *amqppeer.Frame) bool {
		switch f.Code {
		case amqppeer.Attach: // the peer answers with the source that it was sent
			source, _ := f.Field(5).(amqppeer.Described)
			source.Value = []any{"q", nil, nil, nil, nil, nil, nil, nil, nil, amqppeer.Symbols{"amqp:accepted:list", "amqp:rejected:list", "amqp:released:list"}}
			f.Fields[5] = source
		case amqppeer.Disposition:
			states <- f.Field(4)
		}
		return false
	}})
	r := newTestReceiver(t, p, Options{}, Source{})
	for undeliverable, want := range map[bool]uint64{false: amqppeer.StateReleased, true: amqppeer.StateRejected} {
		p.Put("q", dataMessage("x"))
		d, err := r.Receive(within(t, soon))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Modify(true, undeliverable, nil); err != nil {
			t.Fatal(err)
		}
		if state, _ := (<-states).(amqppeer.Described); state.Descriptor != want {
			t.Errorf("undeliverable %v: %v, want %#x", undeliverable, state, want)
		}
		if !undeliverable { // it comes again
			if d, err = r.Receive(within(t, soon)); err == nil {
				_ = d.Accept()
				<-states
			}
		}
	}
}

// TestReceiverDetachedWithoutClose: go-amqp waits for an end of the link that never
// comes.
func TestReceiverDetachedWithoutClose(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{Script: onFirst(amqppeer.Disposition, func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
		c.Send(f.Channel, amqppeer.Detach, uint32(0), false)
		return false
	})})
	lost := make(chan error, 10)
	r := newTestReceiver(t, p, Options{OnEvent: func(e Event) {
		if e.Kind == LinkLost {
			lost <- e.Err
		}
	}}, Source{})
	p.Put("q", dataMessage("first"))
	d, err := r.Receive(within(t, soon))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Accept(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := r.Receive(within(t, soon))
		done <- err
	}()
	select {
	case <-lost:
	case <-time.After(soon / 2):
		t.Error("nobody notices that the link is gone")
	}
	p.Put("q", dataMessage("second"))
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestReceiveWhenDialIsAllowed: while the pool leaves the peer alone, a receiver waits
// for that, and does not use up attempts that cannot succeed.
func TestReceiveWhenDialIsAllowed(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{})
	p.Put("q", dataMessage("hello"))
	r := newTestReceiver(t, p, Options{OnEvent: func(e Event) {
		if e.Kind == StateChanged && e.State == Backoff {
			t.Error("an attempt failed")
		}
	}}, Source{})
	r.pool.mu.Lock()
	r.pool.retryAt = time.Now().Add(patience + patience/5)
	r.pool.mu.Unlock()
	if _, err := r.Receive(within(t, soon)); err != nil {
		t.Fatal(err)
	}
}

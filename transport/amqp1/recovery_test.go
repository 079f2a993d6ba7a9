package amqp1

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/amqppeer"
)

// sendUntilAccepted sends a message again until it is accepted, as a queue does.
func sendUntilAccepted(ctx context.Context, s *Sender, body, key string) error {
	for {
		o, err := s.Send(ctx, text(body), SendOptions{Key: key})
		if err == nil && o.State == Accepted {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %v, %w", key, o.State, err)
		}
	}
}

// TestRestartInTheMiddle: the peer is gone for a moment, and comes back on the same
// address. What it accepted before is not sent again, but for what was in flight.
func TestRestartInTheMiddle(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	arrived := map[string]int{}
	options := amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		mu.Lock()
		arrived[string(d.Encoded)]++
		mu.Unlock()
		amqppeer.Accept(c, d)
	}}
	first, err := amqppeer.Listen(t.Context(), "", options)
	if err != nil {
		t.Fatal(err)
	}
	s := newTestSender(t, first, Options{}, Target{})
	ctx := within(t, 3*soon)
	half := make(chan struct{})
	const n = 2000
	var accepted atomic.Int64
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			for j := i; j < n; j += 32 {
				if err := sendUntilAccepted(ctx, s, fmt.Sprint(j), fmt.Sprint(j)); err != nil {
					t.Error(err)
					return
				}
				if accepted.Add(1) == n/2 {
					close(half)
				}
			}
		})
	}
	<-half
	first.Close()
	second, err := amqppeer.Listen(t.Context(), first.Addr(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	group.Wait()
	mu.Lock()
	defer mu.Unlock()
	copies := 0
	for _, times := range arrived {
		copies += times - 1
	}
	if len(arrived) != n || copies > DefaultWindow {
		t.Errorf("%d messages arrived, %d copies of them; want %d and at most %d", len(arrived), copies, n, DefaultWindow)
	}
}

// TestSessionEnded: RabbitMQ ends sessions when somebody closes connections by hand.
// The connection stays, and the next message goes over a new session on it.
func TestSessionEnded(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{Script: hostile(func(c *amqppeer.Conn, f *amqppeer.Frame) {
		c.End(f.Channel, &amqppeer.Error{Condition: "amqp:internal-error", Description: "closed by hand"})
	})})
	s := newTestSender(t, p, Options{}, Target{})
	_, err := s.Send(within(t, soon), text("first"), SendOptions{})
	if fault := wantFault(t, err, ErrLost, true); fault.Condition != InternalError {
		t.Errorf("condition %q", fault.Condition)
	}
	o, err := s.Send(within(t, soon), text("second"), SendOptions{})
	wantAccepted(t, o, err)
	if n := p.Connections.Load(); n != 1 {
		t.Errorf("%d connections, want the one", n)
	}
}

// TestNewSessionThatDoesNotBegin: on a connection where no session begins any more,
// another connection is tried.
func TestNewSessionThatDoesNotBegin(t *testing.T) {
	t.Parallel()
	begins := atomic.Int64{}
	p := startPeer(t, amqppeer.Options{Script: func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
		switch {
		case f.Code == amqppeer.Begin && begins.Add(1) == 2:
			return true // no answer
		case f.Code == amqppeer.Transfer && begins.Load() == 1:
			c.Send(f.Channel, amqppeer.Detach, f.Field(0), true)
			return true
		}
		return false
	}})
	s := newTestSender(t, p, Options{BeginTimeout: 100 * time.Millisecond}, Target{})
	_, err := s.Send(within(t, soon), text("first"), SendOptions{})
	wantFault(t, err, ErrLost, true)
	o, err := s.Send(within(t, soon), text("second"), SendOptions{})
	wantAccepted(t, o, err)
	if n := p.Connections.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// TestPoison: one message takes the connection down whenever the peer meets it. Those
// in flight with it get through, and it is told apart.
func TestPoison(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	arrived := map[string]int{}
	p := startPeer(t, amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		body := string(d.Encoded[len(d.Encoded)-4:])
		mu.Lock()
		arrived[body]++
		mu.Unlock()
		if body == "evil" {
			c.Drop()
			return
		}
		amqppeer.Accept(c, d)
	}})
	s := newTestSender(t, p, Options{}, Target{})
	ctx := within(t, 3*soon)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			_, err := s.Send(ctx, text("evil"), SendOptions{Key: "evil"})
			if errors.Is(err, ErrPeerFault) {
				return
			}
			if err == nil || ctx.Err() != nil {
				t.Errorf("err = %v", err)
				return
			}
		}
	})
	for i := range 20 {
		group.Go(func() {
			if err := sendUntilAccepted(ctx, s, fmt.Sprintf("%04d", i), fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	mu.Lock()
	defer mu.Unlock()
	if n := arrived["evil"]; n != 1+mostDeaths {
		t.Errorf("the message arrived %d times, want once with others and %d times alone", n, mostDeaths)
	}
	for body, n := range arrived {
		if body != "evil" && n > 2 {
			t.Errorf("%s arrived %d times", body, n)
		}
	}
}

// TestPeerThatIsDownIsNoPoison: a peer that goes away under a message, and stays away,
// has not failed on it.
func TestPeerThatIsDownIsNoPoison(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 10)
	p, err := amqppeer.Listen(t.Context(), "", amqppeer.Options{Answer: func(*amqppeer.Conn, *amqppeer.Delivery) {
		reached <- struct{}{}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := newTestSender(t, p, Options{}, Target{})
	down := make(chan error, 1)
	go func() {
		_, err := s.Send(within(t, soon), text("x"), SendOptions{Key: "x"})
		down <- err
	}()
	<-reached
	p.Close()
	wantFault(t, <-down, ErrLost, true)
	for range 5 {
		_, err := s.Send(within(t, soon), text("x"), SendOptions{Key: "x"})
		if errors.Is(err, ErrPeerFault) {
			t.Fatalf("err = %v", err)
		}
	}
}

// TestPeerThatNeverSettles: abandoned deliveries keep their places for a while, and
// then the link is given up, so that the window does not stay full for ever.
func TestPeerThatNeverSettles(t *testing.T) {
	t.Parallel()
	silent := atomic.Bool{}
	silent.Store(true)
	p := startPeer(t, amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		if !silent.Load() {
			amqppeer.Accept(c, d)
		}
	}})
	s := newTestSender(t, p, Options{OutcomeTimeout: 200 * time.Millisecond}, Target{Window: 2})
	for range 2 {
		_, err := s.Send(within(t, 50*time.Millisecond), text("x"), SendOptions{})
		wantFault(t, err, context.DeadlineExceeded, true)
	}
	_, err := s.Send(within(t, 50*time.Millisecond), text("no place"), SendOptions{})
	wantFault(t, err, context.DeadlineExceeded, false)
	silent.Store(false)
	o, err := s.Send(within(t, soon), text("y"), SendOptions{})
	wantAccepted(t, o, err)
}

// TestLateOutcome: it is told although nobody waits.
func TestLateOutcome(t *testing.T) {
	t.Parallel()
	deliveries := make(chan func(), 1)
	p := startPeer(t, amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		deliveries <- func() {
			c.Send(d.Channel, amqppeer.Disposition, true, d.ID, nil, true, amqppeer.Accepted)
		}
	}})
	late := make(chan Event, 1)
	s := newTestSender(t, p, Options{OnEvent: func(e Event) {
		if e.Kind == OutcomeKnown && e.Late {
			late <- e
		}
	}}, Target{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Send(ctx, text("x"), SendOptions{})
		done <- err
	}()
	settle := <-deliveries
	cancel()
	wantFault(t, <-done, context.Canceled, true)
	settle()
	if e := <-late; e.Outcome.State != Accepted || string(e.Message.GetData()) != "x" {
		t.Errorf("event %+v", e)
	}
}

// TestUnused: links and connections end when nobody needs them, and come back.
func TestUnused(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 10)
	p := startPeer(t, amqppeer.Options{})
	s := newTestSender(t, p, Options{UnusedTimeout: 100 * time.Millisecond, OnEvent: func(e Event) {
		if e.Kind == Disconnected {
			gone <- struct{}{}
		}
	}}, Target{})
	for i := range 2 {
		o, err := s.Send(within(t, soon), text("x"), SendOptions{})
		wantAccepted(t, o, err)
		<-gone
		if n := p.Connections.Load(); n != int64(i+1) {
			t.Errorf("%d connections", n)
		}
	}
}

var chaos = flag.Duration("chaos", 2*time.Second, "how long TestChaos lasts")

// TestChaos: links, sessions and connections end at random under many senders. Nothing
// hangs, and what is accepted has arrived.
func TestChaos(t *testing.T) {
	t.Parallel()
	duration := *chaos
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	arrived, kinds := map[string]bool{}, map[string]int{}
	p := startPeer(t, amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		mu.Lock()
		fate := random.IntN(1000)
		if fate > 5 {
			arrived[string(d.Encoded)] = true
		}
		mu.Unlock()
		switch fate {
		case 0:
			c.Detach(d, nil)
		case 1:
			c.End(d.Channel, &amqppeer.Error{Condition: "amqp:internal-error"})
		case 2:
			c.Close(&amqppeer.Error{Condition: "amqp:connection:forced"})
		case 3:
			c.Drop()
		case 4:
			amqppeer.Release(c, d)
		case 5: // no reply
		default:
			amqppeer.Accept(c, d)
		}
	}})
	c := newContainer(t, Options{BeginTimeout: time.Second, OutcomeTimeout: time.Second})
	remote := remoteOf(t, p)
	end := time.Now().Add(duration)
	var group sync.WaitGroup
	var sent, failed atomic.Int64
	for i := range 8 {
		s, err := c.Sender(remote, Target{Address: fmt.Sprint("q", i)})
		if err != nil {
			t.Fatal(err)
		}
		for j := range 8 {
			group.Go(func() {
				for k := 0; time.Now().Before(end); k++ {
					body := fmt.Sprint(i, "/", j, "/", k)
					began := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					o, err := s.Send(ctx, text(body), SendOptions{Key: body})
					cancel()
					if took := time.Since(began); took > 5*time.Second {
						t.Errorf("%s took %v", body, took)
					}
					sent.Add(1)
					if err != nil {
						failed.Add(1)
						mu.Lock()
						kinds[err.Error()]++
						mu.Unlock()
						continue
					}
					mu.Lock()
					if o.State == Accepted && !arrived[string(amqppeer.Append([]byte{0, 0x53, 0x75}, []byte(body)))] {
						t.Errorf("%s is accepted and has not arrived", body)
					}
					mu.Unlock()
				}
			})
		}
	}
	group.Wait()
	if sent.Load() < 100 || failed.Load() == 0 || failed.Load() > sent.Load()/2 {
		t.Errorf("%d sent, of which %d failed", sent.Load(), failed.Load())
	}
	t.Logf("%d sent, of which %d failed, over %d connections: %v", sent.Load(), failed.Load(), p.Connections.Load(), kinds)
}

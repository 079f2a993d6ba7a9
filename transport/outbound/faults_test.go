package outbound_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat"
)

func TestStartThatFailsLeavesNothingRunning(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		store.due = func() error { return errBroken }
		m, err := outbound.New(store, outbound.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d := &driver{}
		if err := m.Register(d); err != nil {
			t.Fatal(err)
		}
		if err := m.Start(t.Context()); !errors.Is(err, errBroken) {
			t.Fatalf("Start = %v", err)
		}
		if d.started != 1 || d.stopped != 1 {
			t.Errorf("the transport was started %d times and stopped %d times", d.started, d.stopped)
		}
		if _, err := m.Send(t.Context(), outbound.Message{Endpoint: endpoint(t, "test://host/")}); !errors.Is(err, outbound.ErrNotStarted) {
			t.Errorf("Send = %v", err)
		}
		if _, err := m.Stop(t.Context()); err != nil {
			t.Errorf("Stop = %v", err)
		}
	})
}

func TestSendBeforeStartIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, err := outbound.New(newBadStore(t), outbound.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Ready(); !errors.Is(err, outbound.ErrNotStarted) {
			t.Errorf("Ready = %v", err)
		}
		if _, err := m.Send(t.Context(), outbound.Message{Endpoint: endpoint(t, "test://host/")}); !errors.Is(err, outbound.ErrNotStarted) {
			t.Errorf("Send = %v", err)
		}
		if _, err := m.Replay(t.Context(), queue.Query{}); !errors.Is(err, outbound.ErrNotStarted) {
			t.Errorf("Replay = %v", err)
		}
		if _, err := m.Cancel(t.Context(), queue.Query{}); !errors.Is(err, outbound.ErrNotStarted) {
			t.Errorf("Cancel = %v", err)
		}
		if _, err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Leased messages whose worker does not come in time are given back, not sent
// under a lease that may have run out.
func TestALeaseThatIsOldIsNotUsed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		var calls atomic.Int64
		hanging := make(chan struct{})
		store.lease = func() {
			if calls.Add(1) == 2 { // the first is for one message: nothing is known of the lane's pace
				<-hanging
			}
		}
		d := &driver{handle: func(ctx context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "hole" {
				pass(25 * time.Second)
			}
			return nil
		}}
		f := startOver(t, store, d, outbound.Options{Workers: 4, LaneConcurrency: 4})
		slow := queue.Lane{Profile: "default", Destination: "test://slow/"}
		if err := f.PauseDestination(t.Context(), slow, queue.Forever, ""); err != nil {
			t.Fatal(err)
		}
		var ids []transport.ID
		for range 10 {
			ids = append(ids, f.send("test://slow/", nil))
		}
		if err := f.ResumeDestination(t.Context(), slow); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i := range 100 {
			f.send("test://hole/"+strings.Repeat("x", i), nil)
		}
		synctest.Wait()
		close(hanging) // what is leased now is behind all the others
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		seen := map[transport.ID]int{}
		for _, a := range d.seen() {
			seen[a.message.ID]++
		}
		for _, id := range ids {
			if seen[id] != 1 {
				t.Errorf("%s was attempted %d times", id, seen[id])
			}
			f.wantResult(id, queue.Delivered)
		}
	})
}

func TestCancelledWhileItIsReleased(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(ctx context.Context, _ *outbound.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}}, outbound.Options{AttemptTimeout: time.Hour})
		id := f.send("test://host/", nil)
		synctest.Wait()
		if _, err := f.Cancel(t.Context(), queue.Query{IDs: []transport.ID{id}}); err != nil {
			t.Fatal(err)
		}
		f.cancel() // the hard stop: the attempt is released
		left, err := f.Stop(t.Context())
		if err != nil || left.Messages != 0 {
			t.Errorf("left = %+v, %v", left, err)
		}
	})
}

func TestFlushEndsWithTheManager(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		f.send("test://host/", func(m *outbound.Message) { m.NotBefore = time.Now().Add(time.Hour) })
		flushed := make(chan error, 1)
		go func() { flushed <- f.Flush(t.Context()) }()
		synctest.Wait()
		if _, err := f.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-flushed; !errors.Is(err, outbound.ErrStopped) {
			t.Errorf("Flush = %v", err)
		}
	})
}

func TestASecondStopIsBoundedByItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(ctx context.Context, _ *outbound.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}}, outbound.Options{AttemptTimeout: time.Hour})
		f.send("test://host/", nil)
		synctest.Wait()
		first := make(chan error, 1)
		go func() {
			_, err := f.Stop(t.Context())
			first <- err
		}()
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.Stop(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second Stop = %v", err)
		}
		f.cancel()
		if err := <-first; err != nil {
			t.Errorf("first Stop = %v", err)
		}
	})
}

func TestReplacedTransportIsStoppedInTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		proceed := make(chan struct{})
		old := &driver{handle: func(context.Context, *outbound.Message) error {
			<-proceed
			return nil
		}}
		f := start(t, old, outbound.Options{})
		f.send("test://host/", nil)
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.Replace(short, &driver{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Replace = %v", err)
		}
		close(proceed)
		if _, err := f.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if old.stopped == 0 {
			t.Error("the replaced transport was never stopped")
		}
		if err := f.Register(&driver{schemes: []string{"late"}}); !errors.Is(err, outbound.ErrStopped) {
			t.Errorf("Register after Stop = %v", err)
		}
	})
}

func TestRegistrationRacesWithStop(t *testing.T) {
	t.Parallel()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := outbound.New(store, outbound.Options{Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Register(&driver{}); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	drivers := make([]*driver, 20)
	var all sync.WaitGroup
	for i := range drivers {
		drivers[i] = &driver{schemes: []string{"s" + strings.Repeat("x", i)}}
		all.Go(func() { _ = m.Register(drivers[i]) })
		all.Go(func() { _ = m.Replace(t.Context(), &driver{}) })
		all.Go(func() { _ = m.Unregister(t.Context(), "test") })
	}
	all.Go(func() {
		if _, err := m.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	all.Wait()
	if _, err := m.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
	for _, d := range drivers {
		if d.started > d.stopped {
			t.Errorf("%s was started and never stopped", d.Schemes())
		}
	}
}

func TestPauseThatComesBackIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		calls := 0
		f := start(t, &driver{}, outbound.Options{LaneConcurrency: 1, Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 9}})
		f.driver.handle = func(context.Context, *outbound.Message) error {
			calls++
			err := fail(transport.Throttled)
			err.RetryAfter = time.Minute
			if calls > 1 {
				err.Class, err.Gone = transport.Permanent, true
			}
			return err
		}
		f.send("test://host/", nil)
		pass(2 * time.Minute)
		synctest.Wait()
		paused := f.paused()
		if len(paused) != 1 || !paused[0].PausedUntil.Equal(queue.Forever) {
			t.Errorf("paused = %+v", paused)
		}
	})
}

func TestPauseThatIsOverIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		for _, until := range []time.Time{{}, time.Now().Add(-time.Second)} {
			err := f.PauseDestination(t.Context(), queue.Lane{Profile: "default", Destination: "test://host/"}, until, "")
			var field *outbound.FieldError
			if !errors.As(err, &field) || field.Field != "until" {
				t.Errorf("until %v: %v", until, err)
			}
		}
	})
}

func TestRetryAfterBeyondThePolicysAgeIsTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(context.Context, *outbound.Message) error {
			err := fail(transport.Throttled)
			err.RetryAfter = 2 * time.Hour
			return err
		}}, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 9, MaxAge: time.Hour}})
		id := f.send("test://host/", nil)
		synctest.Wait()
		f.wantResult(id, queue.Dead)
	})
}

func TestReplayOnABusyLaneTellsQueuedFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		broken := true
		f := start(t, &driver{}, outbound.Options{LaneConcurrency: 64, Retry: outbound.NoRetry()})
		f.driver.handle = func(context.Context, *outbound.Message) error {
			if broken {
				return errBroken
			}
			return nil
		}
		ids := map[transport.ID]string{}
		for range 200 {
			ids[f.send("test://host/", nil)] = ""
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for range len(f.events.Events()) {
			<-f.events.Events()
		}
		broken = false
		var busy sync.WaitGroup
		busy.Go(func() {
			for range 500 {
				f.send("test://host/", nil)
			}
		})
		page, err := f.Replay(t.Context(), queue.Query{Limit: 1000})
		busy.Wait()
		if err != nil || len(page.Records) != 200 {
			t.Fatalf("replayed %d, %v", len(page.Records), err)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for range len(f.events.Events()) {
			e := <-f.events.Events()
			if m, ok := e.Payload.(outbound.MessageEvent); ok {
				if _, replayed := ids[m.ID]; replayed {
					ids[m.ID] += strings.TrimPrefix(e.Topic, "outbound-message::") + " "
				}
			}
		}
		for id, got := range ids {
			if got != "queued_for_delivery delivered " {
				t.Fatalf("%s: %q", id, got)
			}
		}
	})
}

// TestWhatDidNotExpireIsNotTold: where the store could not record ends, there are none.
func TestWhatDidNotExpireIsNotTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		var full atomic.Bool
		store.expire = func() error {
			if full.Load() {
				return queue.ErrStoreFull
			}
			return nil
		}
		full.Store(true)
		f := startOver(t, store, &driver{}, outbound.Options{})
		id := f.send("test://host/", func(m *outbound.Message) {
			m.NotBefore, m.ExpiresAt = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		})
		f.hold(queue.Forever)
		pass(3 * time.Hour)
		f.wantTopics(id, "queued_for_delivery")
		full.Store(false)
		pass(2 * time.Minute)
		f.wantTopics(id, "expired", "undeliverable")
	})
}

// hanging is a wire format whose stamp takes for ever, or panics.
type hanging struct {
	wireformat.Raw
	panics bool
}

func (*hanging) Name() string         { return "hanging" }
func (*hanging) MediaTypes() []string { return []string{"text/x-hanging"} }
func (f *hanging) Stamp(ctx context.Context, _ *profile.Profile, _ *wireformat.Frame, _ wireformat.Attempt) error {
	if f.panics {
		panic("no key")
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestStampIsPartOfTheAttempt(t *testing.T) {
	t.Parallel()
	for name, panics := range map[string]bool{"hangs": false, "panics": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				registry, err := wireformat.NewRegistry(append(wireformat.Builtin(), &hanging{panics: panics})...)
				if err != nil {
					t.Fatal(err)
				}
				f := start(t, &driver{}, outbound.Options{Formats: registry, Retry: outbound.NoRetry()})
				id := f.send("test://host/", func(m *outbound.Message) { m.WireFormat = "hanging" })
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.wantResult(id, queue.Dead)
			})
		})
	}
}

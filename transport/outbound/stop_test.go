package outbound_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestStopDrainsAndLosesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, err := memqueue.New(memqueue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		first := startOver(t, store, &driver{handle: func(context.Context, *outbound.Message) error {
			pass(time.Second)
			return nil
		}}, outbound.Options{LaneConcurrency: 4})
		var ids []transport.ID
		for range 10 {
			ids = append(ids, first.send("test://host/", nil))
		}
		synctest.Wait()
		left, err := first.Stop(t.Context())
		if err != nil || left.InFlight != 0 || left.Messages != 6 || left.Bytes != 30 {
			t.Fatalf("left = %+v, %v", left, err)
		}
		if _, err := first.Send(t.Context(), outbound.Message{Endpoint: endpoint(t, "test://host/")}); !errors.Is(err, outbound.ErrStopped) {
			t.Errorf("Send after Stop: %v", err)
		}
		if left, err := first.Stop(t.Context()); err != nil || left.Messages != 6 {
			t.Errorf("second Stop: %+v, %v", left, err)
		}
		second := startOver(t, store, &driver{}, outbound.Options{})
		if err := second.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			second.wantResult(id, queue.Delivered)
			if r := second.record(id); r.Attempts != 1 {
				t.Errorf("%d attempts, want 1", r.Attempts)
			}
		}
	})
}

func TestStopGivesUpWaitingAndGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(ctx context.Context, _ *outbound.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}}, outbound.Options{AttemptTimeout: time.Hour})
		id := f.send("test://host/", nil)
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		left, err := f.Stop(short)
		if !errors.Is(err, context.DeadlineExceeded) || left.InFlight != 1 {
			t.Fatalf("Stop = %+v, %v", left, err)
		}
		f.cancel() // the hard stop
		left, err = f.Stop(t.Context())
		if err != nil || left.InFlight != 0 || left.Messages != 1 {
			t.Fatalf("Stop after the hard stop = %+v, %v", left, err)
		}
		records, err := f.store.Get(t.Context(), []transport.ID{id}, false)
		if err != nil || len(records) != 1 || records[0].Attempts != 0 || records[0].State != queue.StatePending {
			t.Errorf("the attempt counted: %+v, %v", records, err)
		}
		if f.driver.stopped != 1 {
			t.Errorf("the transport was stopped %d times", f.driver.stopped)
		}
	})
}

func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := outbound.New(store, outbound.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Start(t.Context()); err == nil {
		t.Error("Start after Stop succeeded")
	}
}

func TestHaltedManagerKeepsWhatItIsGiven(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, err := memqueue.New(memqueue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		first := startOver(t, store, &driver{handle: func(context.Context, *outbound.Message) error {
			pass(time.Second)
			return nil
		}}, outbound.Options{LaneConcurrency: 1})
		underway, waiting := first.send("test://host/", nil), first.send("test://host/", nil)
		synctest.Wait()
		for range 2 {
			first.Halt()
		}
		if err := first.Ready(); err != nil {
			t.Errorf("Ready after Halt: %v", err)
		}
		later := first.send("test://other/", nil)
		synctest.Wait()
		pass(time.Minute)
		first.wantResult(underway, queue.Delivered)
		for _, id := range []transport.ID{waiting, later} {
			if r := first.record(id); r.Attempts != 0 || r.State != queue.StatePending {
				t.Errorf("after Halt the message is %s, attempted %d times", r.State, r.Attempts)
			}
		}
		if left, err := first.Stop(t.Context()); err != nil || left.InFlight != 0 || left.Messages != 2 {
			t.Errorf("left = %+v, %v", left, err)
		}
		second := startOver(t, store, &driver{}, outbound.Options{})
		if err := second.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		second.wantResult(waiting, queue.Delivered)
		second.wantResult(later, queue.Delivered)
	})
}

// stuck is a transport whose Start waits for its context.
type stuck struct{ outbound.Base }

func (*stuck) Schemes() []string { return []string{"stuck"} }
func (*stuck) Start(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
func (*stuck) Stop(context.Context) error { return nil }
func (*stuck) HandleMessage(context.Context, *outbound.Message) (outbound.Receipt, error) {
	return outbound.Receipt{}, nil
}

// TestStopWaitsNoLongerThanItMay, whoever starts something meanwhile.
func TestStopWaitsNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(m *outbound.Manager, ctx context.Context) error{
		"Start": func(m *outbound.Manager, ctx context.Context) error {
			return errors.Join(m.Register(&stuck{}), m.Start(ctx))
		},
		"Register": func(m *outbound.Manager, ctx context.Context) error {
			return errors.Join(m.Start(ctx), m.Register(&stuck{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store, err := memqueue.New(memqueue.Options{})
				if err != nil {
					t.Fatal(err)
				}
				m, err := outbound.New(store, outbound.Options{})
				if err != nil {
					t.Fatal(err)
				}
				running, abort := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- begin(m, running) }()
				synctest.Wait()
				began := time.Now()
				soon, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := m.Stop(soon); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
					t.Errorf("Stop after %v: %v", time.Since(began), err)
				}
				abort()
				if err := <-ended; err == nil {
					t.Error("what was stuck has succeeded")
				}
				if _, err := m.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestStopWithAnEndedContext stops what need not be waited for, each time.
func TestStopWithAnEndedContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			f := start(t, &driver{}, outbound.Options{})
			f.Halt()
			synctest.Wait() // the workers end
			if _, err := f.Stop(ended); err != nil {
				t.Fatalf("Stop: %v", err)
			}
		}
	})
}

package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// fullStore is a store that has no room for outcomes while full is set.
func fullStore(t *testing.T) (store *badStore, full *atomic.Bool) {
	t.Helper()
	store, full = newBadStore(t), new(atomic.Bool)
	store.settle = func() error {
		if full.Load() {
			return fmt.Errorf("settle: %w", queue.ErrStoreFull)
		}
		return nil
	}
	return store, full
}

// failsAtFirst delivers what is attempted again.
func failsAtFirst(_ context.Context, m *outbound.Message) error {
	if m.Attempt == 1 {
		return fail(transport.Temporary)
	}
	return nil
}

// TestFullStoreKeepsOutcomes: what is known of attempts is recorded once there is
// room, however long that takes, and until then little more is attempted. So
// nothing is attempted again for want of room.
func TestFullStoreKeepsOutcomes(t *testing.T) {
	t.Parallel()
	const workers, messages = 4, 60
	for name, c := range map[string]struct {
		handle   func(context.Context, *outbound.Message) error
		attempts int // of each message
	}{
		"delivered": {nil, 1},
		"failed":    {failsAtFirst, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store, full := fullStore(t)
				f := startOver(t, store, &driver{handle: c.handle}, outbound.Options{Workers: workers, Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 3}})
				full.Store(true)
				var ids []transport.ID
				for i := range messages {
					ids = append(ids, f.send(fmt.Sprintf("test://host%d/", i%7), nil))
				}
				for range 10 { // longer than any lease
					pass(time.Minute)
					if n := len(f.driver.seen()); n == 0 || n > 3*workers {
						t.Fatalf("%d attempts while nothing can be recorded, want %d at most", n, 3*workers)
					}
				}
				full.Store(false)
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				counts, told := map[transport.ID]int{}, f.countTopics()
				for _, attempt := range f.driver.seen() {
					counts[attempt.message.ID]++
				}
				for _, id := range ids {
					f.wantResult(id, queue.Delivered)
					if counts[id] != c.attempts {
						t.Errorf("%s was attempted %d times, want %d", id, counts[id], c.attempts)
					}
				}
				if n := told[outbound.TopicDelivered]; n != messages {
					t.Errorf("%d deliveries were told, want %d", n, messages)
				}
				if n := told[outbound.TopicAttemptFailed]; n != messages*(c.attempts-1) {
					t.Errorf("%d failures were told, want %d", n, messages*(c.attempts-1))
				}
			})
		})
	}
}

// countTopics drains the events so far and counts them.
func (f *fixture) countTopics() map[string]int {
	f.t.Helper()
	synctest.Wait()
	counts := map[string]int{}
	for {
		select {
		case e := <-f.events.Events():
			counts[e.Topic]++
		default:
			return counts
		}
	}
}

// TestStopOfAFullStore: Stop waits for room as it waits for attempts, and the hard
// stop for neither; what was not recorded is counted, and attempted again by the next.
func TestStopOfAFullStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, full := fullStore(t)
		first := startOver(t, store, &driver{}, outbound.Options{Workers: 4})
		full.Store(true)
		id := first.send("test://host/", nil)
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		left, err := first.Stop(short)
		if !errors.Is(err, context.DeadlineExceeded) || left.Unrecorded != 1 || left.Messages != 1 {
			t.Fatalf("Stop without room: %+v, %v", left, err)
		}
		first.cancel() // the hard stop
		left, err = first.Stop(t.Context())
		if err != nil || left.Unrecorded != 1 || left.Messages != 1 {
			t.Fatalf("Stop after the hard stop: %+v, %v", left, err)
		}
		full.Store(false)
		second := startOver(t, store, &driver{}, outbound.Options{})
		if err := second.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		second.wantResult(id, queue.Delivered)
	})
}

// TestStopRecordsWhatWaitedForRoom: room that is made while Stop waits is used.
func TestStopRecordsWhatWaitedForRoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, full := fullStore(t)
		f := startOver(t, store, &driver{}, outbound.Options{})
		full.Store(true)
		id := f.send("test://host/", nil)
		synctest.Wait()
		time.AfterFunc(time.Hour, func() { full.Store(false) })
		if left, err := f.Stop(t.Context()); err != nil || left != (outbound.Left{}) {
			t.Errorf("Stop: %+v, %v", left, err)
		}
		f.wantResult(id, queue.Delivered)
	})
}

// TestTestOfADestinationWithoutRoom: the outcome of an attempt that was asked for is
// kept like any other.
func TestTestOfADestinationWithoutRoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, full := fullStore(t)
		f := startOver(t, store, &driver{}, outbound.Options{})
		if err := f.PauseDestination(t.Context(), hostLane(), queue.Forever, ""); err != nil {
			t.Fatal(err)
		}
		id := f.send("test://host/", nil)
		full.Store(true)
		time.AfterFunc(time.Hour, func() { full.Store(false) })
		if test, err := f.TestDestination(t.Context(), hostLane()); err != nil || test.Class != transport.Success {
			t.Errorf("test: %+v, %v", test, err)
		}
		if err := f.ResumeDestination(t.Context(), hostLane()); err != nil {
			t.Fatal(err)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantResult(id, queue.Delivered)
		if n := len(f.driver.seen()); n != 1 {
			t.Errorf("%d attempts, want 1", n)
		}
	})
}

// TestOutcomeThatCannotBeRecorded: any other fault of the store leaves the message to
// the end of its lease.
func TestOutcomeThatCannotBeRecorded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		var failed atomic.Bool
		store.settle = func() error {
			if failed.CompareAndSwap(false, true) {
				return errBroken
			}
			return nil
		}
		f := startOver(t, store, &driver{}, outbound.Options{})
		id := f.send("test://host/", nil)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantResult(id, queue.Delivered)
		if n := len(f.driver.seen()); n != 2 {
			t.Errorf("%d attempts, want 2", n)
		}
	})
}

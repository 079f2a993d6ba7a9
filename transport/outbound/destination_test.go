package outbound_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// However many destinations ask for a pause, and however long the store takes to
// record one, there are workers for the others.
func TestRetryAfterDoesNotHoldTheWorkers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		recorded := make(chan struct{})
		store.setLane = func() error {
			<-recorded
			return nil
		}
		f := startOver(t, store, &driver{handle: func(_ context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "healthy" {
				return nil
			}
			err := fail(transport.Throttled)
			err.RetryAfter = time.Minute
			return err
		}}, outbound.Options{Workers: 4})
		for i := range 20 {
			f.send(fmt.Sprintf("test://busy%d/", i), nil)
		}
		synctest.Wait()
		id := f.send("test://healthy/", nil)
		synctest.Wait()
		f.wantResult(id, queue.Delivered)
		close(recorded)
		synctest.Wait()
		if n := len(f.states()); n != 20 {
			t.Errorf("%d pauses are recorded, want 20", n)
		}
	})
}

// What is told last of a destination is how it is, also where it fails while its
// resumption waits for the store.
func TestResumeIsToldAfterTheFailingItEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		store.setLane = func() error {
			pass(10 * time.Millisecond)
			return nil
		}
		d := newFailing(fail(transport.Temporary))
		f := startOver(t, store, &d.driver, outbound.Options{Breaker: outbound.Breaker{Failures: 1, CoolOff: time.Hour, MaxCoolOff: time.Hour}})
		f.send("test://other/", nil) // its failing is being recorded
		synctest.Wait()
		resumed := make(chan error, 1)
		go func() { resumed <- f.ResumeDestination(t.Context(), hostLane()) }() // waits for that
		synctest.Wait()
		f.send("test://host/", nil)
		if err := <-resumed; err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if now := f.Destination(t.Context(), hostLane()); now.Breaker != outbound.BreakerClosed {
			t.Fatalf("the destination is %+v after it was resumed", now)
		}
		last := ""
		topics, events := f.told()
		for i := range events {
			if events[i].Destination == hostLane().Destination {
				last = topics[i]
			}
		}
		if last != "resumed 0" {
			t.Errorf("told last %q of %q", last, topics)
		}
	})
}

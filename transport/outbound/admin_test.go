package outbound_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestCancel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		result queue.Result
		topics []string
	}{
		"and the attempt fails":    {errBroken, queue.Cancelled, []string{"queued_for_delivery", "attempt_failed", "cancelled"}},
		"and the attempt succeeds": {nil, queue.Delivered, []string{"queued_for_delivery", "delivered"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				proceed := make(chan struct{})
				f := start(t, &driver{handle: func(context.Context, *outbound.Message) error {
					<-proceed
					return c.err
				}}, outbound.Options{LaneConcurrency: 1})
				running := f.send("test://host/", nil)
				waiting := f.send("test://host/", nil)
				synctest.Wait()
				page, err := f.Cancel(t.Context(), queue.Query{IDs: []transport.ID{running, waiting}})
				if err != nil || len(page.Records) != 2 {
					t.Fatalf("Cancel = %+v, %v", page, err)
				}
				f.wantResult(waiting, queue.Cancelled)
				f.wantResult(running, "")
				close(proceed)
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.wantResult(running, c.result)
				f.wantTopics(running, c.topics...)
				if n := len(f.driver.seen()); n != 1 {
					t.Errorf("%d attempts, want 1", n)
				}
			})
		})
	}
}

func TestReplay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		broken := true
		f := start(t, &driver{}, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 2}})
		f.driver.handle = func(context.Context, *outbound.Message) error {
			if broken {
				return errBroken
			}
			return nil
		}
		id := f.send("test://host/", nil)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantResult(id, queue.Dead)
		f.topics(id)
		broken = false
		page, err := f.Replay(t.Context(), queue.Query{Results: []queue.Result{queue.Dead}})
		if err != nil || len(page.Records) != 1 || page.Records[0].Status != "queued_for_delivery" {
			t.Fatalf("Replay = %+v, %v", page, err)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantResult(id, queue.Delivered)
		log, err := f.Attempts(t.Context(), id)
		if err != nil || len(log) != 3 || log[2].N != 3 || log[2].Class != transport.Success {
			t.Errorf("log = %+v, %v", log, err)
		}
		if r := f.record(id); r.Attempts != 1 || r.Replays != 1 {
			t.Errorf("record = %+v", r)
		}
		f.wantTopics(id, "queued_for_delivery", "delivered")
	})
}

// TestReplayedExpires: a message that is replayed expires when it was to, also where
// nothing else does.
func TestReplayedExpires(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Permanent))
		f := start(t, &d.driver, outbound.Options{})
		id := f.send("test://host/", func(m *outbound.Message) { m.ExpiresAt = time.Now().Add(time.Hour) })
		f.send("test://host/", func(m *outbound.Message) {
			m.NotBefore, m.ExpiresAt = time.Now().Add(9*time.Minute), time.Now().Add(10*time.Minute)
		})
		pass(20 * time.Minute) // one is dead, the other has expired, and nothing else is to
		f.hold(queue.Forever)
		page, err := f.Replay(t.Context(), queue.Query{IDs: []transport.ID{id}, Limit: 1})
		if err != nil || len(page.Records) != 1 {
			t.Fatalf("%d replayed, %v", len(page.Records), err)
		}
		pass(time.Hour)
		f.wantResult(id, queue.Expired)
	})
}

package outbound_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestQueueFull(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		proceed := make(chan struct{})
		f := start(t, &driver{handle: func(context.Context, *outbound.Message) error {
			<-proceed
			return nil
		}}, outbound.Options{MaxMessages: 3, MaxBytes: 20})
		send := func(payload string) error {
			_, err := f.Send(t.Context(), outbound.Message{Endpoint: endpoint(t, "test://host/"), Payload: []byte(payload)})
			return err
		}
		for range 2 {
			if err := send("1234567"); err != nil {
				t.Fatal(err)
			}
		}
		if err := send("1234567"); !errors.Is(err, outbound.ErrQueueFull) || !strings.Contains(err.Error(), "bytes") {
			t.Errorf("third: %v, want ErrQueueFull by bytes", err)
		}
		if err := send("1"); err != nil {
			t.Error(err)
		}
		if err := send("1"); !errors.Is(err, outbound.ErrQueueFull) || !strings.Contains(err.Error(), "messages") {
			t.Errorf("fifth: %v, want ErrQueueFull by count", err)
		}
		if err := send("123456789012345678901"); !errors.Is(err, outbound.ErrTooLarge) || errors.Is(err, outbound.ErrQueueFull) {
			t.Errorf("more than 20 bytes: %v, want ErrTooLarge", err)
		}
		if _, err := f.SendBatch(t.Context(), slices.Repeat([]outbound.Message{{Endpoint: endpoint(t, "test://host/")}}, 4)); !errors.Is(err, outbound.ErrTooLarge) {
			t.Errorf("more than 3 messages: %v, want ErrTooLarge", err)
		}
		_, err := f.SendBatch(t.Context(), make([]outbound.Message, 0))
		if err != nil {
			t.Errorf("empty batch: %v", err)
		}
		close(proceed)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := send("12345678901234567890"); err != nil {
			t.Errorf("after the flush: %v", err)
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		m := outbound.Message{Endpoint: endpoint(t, "test://host/"), IdempotencyKey: "k"}
		first, err := f.Send(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		second, err := f.Send(t.Context(), m)
		if err != nil || !second.Duplicate || second.ID != first.ID {
			t.Errorf("second = %+v, %v", second, err)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(f.driver.seen()); n != 1 {
			t.Errorf("%d attempts, want 1", n)
		}
		f.wantTopics(first.ID, "queued_for_delivery", "delivered")
	})
}

// TestIdempotencyKeyOutlivesItsRecord: what is kept of done messages says nothing
// about how long their keys are known.
func TestIdempotencyKeyOutlivesItsRecord(t *testing.T) {
	t.Parallel()
	stores := map[string]func(ctx context.Context, dir string) (queue.Store, error){
		"memqueue": func(context.Context, string) (queue.Store, error) { return memqueue.New(memqueue.Options{}) },
		"sqlitequeue": func(ctx context.Context, dir string) (queue.Store, error) {
			return sqlitequeue.Open(ctx, dir, sqlitequeue.Options{})
		},
	}
	for name, open := range stores {
		dir := t.TempDir()
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store, err := open(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
				f := startOver(t, store, &driver{}, outbound.Options{Retain: map[queue.Result]outbound.Retain{queue.Delivered: {Count: 3}}})
				m := outbound.Message{Endpoint: endpoint(t, "test://host/"), IdempotencyKey: "k"}
				first, err := f.Send(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				const others = 200
				for range others {
					f.send("test://host/", nil)
				}
				pass(2 * time.Hour) // it purges every hour, or sooner
				if _, err := f.Get(t.Context(), first.ID, false); !errors.Is(err, queue.ErrNotFound) {
					t.Fatalf("get: %v, want ErrNotFound: nothing was purged", err)
				}
				again, err := f.Send(t.Context(), m)
				if err != nil || !again.Duplicate || again.ID != first.ID || again.Status != first.Status {
					t.Errorf("sent again: %+v, %v, want a duplicate of %+v", again, err, first)
				}
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := len(f.driver.seen()); n != 1+others {
					t.Errorf("%d attempts, want %d", n, 1+others)
				}
				pass(24 * time.Hour)
				last, err := f.Send(t.Context(), m)
				if err != nil || last.Duplicate {
					t.Errorf("sent a day later: %+v, %v, want a new message", last, err)
				}
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestSendBatchIsAllOrNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		good := outbound.Message{Endpoint: endpoint(t, "test://host/")}
		_, err := f.SendBatch(t.Context(), []outbound.Message{good, {}, good})
		var batch *outbound.BatchError
		var field *outbound.FieldError
		if !errors.As(err, &batch) || batch.Index != 1 || !errors.As(err, &field) || field.Field != "endpoint" {
			t.Errorf("err = %v", err)
		}
		synctest.Wait()
		if page, err := f.List(t.Context(), queue.Query{}); err != nil || len(page.Records) != 0 {
			t.Errorf("kept %d messages of a refused batch, %v", len(page.Records), err)
		}
		accepted, err := f.SendBatch(t.Context(), []outbound.Message{good, good})
		if err != nil || len(accepted) != 2 || accepted[0].ID == accepted[1].ID {
			t.Errorf("accepted = %+v, %v", accepted, err)
		}
	})
}

func TestFieldsAreChecked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{MaxMessageBytes: 10})
		now := time.Now()
		for field, change := range map[string]func(*outbound.Message){
			"endpoint":        func(m *outbound.Message) { m.Endpoint = transport.Endpoint{} },
			"payload":         func(m *outbound.Message) { m.Payload = make([]byte, 11) },
			"metadata":        func(m *outbound.Message) { m.Metadata = transport.Metadata{"a": "b\n"} },
			"content_type":    func(m *outbound.Message) { m.ContentType = "a/" + strings.Repeat("b", 255) },
			"idempotency_key": func(m *outbound.Message) { m.IdempotencyKey = strings.Repeat("k", 257) },
			"wire_format":     func(m *outbound.Message) { m.WireFormat = "nonsense" },
			"retry":           func(m *outbound.Message) { m.Retry = &outbound.RetryPolicy{} },
			"expires_in":      func(m *outbound.Message) { m.ExpiresAt = now.Add(-time.Second) },
			"not_before": func(m *outbound.Message) {
				m.NotBefore = now.Add(2 * time.Hour)
				m.ExpiresAt = now.Add(time.Hour)
			},
		} {
			m := outbound.Message{Endpoint: endpoint(t, "test://host/")}
			change(&m)
			_, err := f.Send(t.Context(), m)
			var got *outbound.FieldError
			if !errors.As(err, &got) || got.Field != field || errors.Is(err, outbound.ErrPayloadTooLarge) != (field == "payload") {
				t.Errorf("%s: %v", field, err)
			}
		}
	})
}

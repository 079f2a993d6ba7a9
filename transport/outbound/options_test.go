package outbound_test

import (
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestAttemptTimeoutIsBounded(t *testing.T) {
	t.Parallel()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = outbound.New(store, outbound.Options{AttemptTimeout: 1<<63 - 1})
	if err == nil || !strings.Contains(err.Error(), "AttemptTimeout") {
		t.Errorf("err = %v", err)
	}
}

// TestRetainOfOneResult changes that of no other.
func TestRetainOfOneResult(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Retain: map[queue.Result]outbound.Retain{queue.Dead: {}}})
		f.send("test://host/", nil)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(26 * time.Hour) // delivered ones are kept for a day
		page, err := f.List(t.Context(), queue.Query{Limit: 10})
		if err != nil || len(page.Records) != 0 {
			t.Errorf("%d are kept, %v", len(page.Records), err)
		}
	})
}

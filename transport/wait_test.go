package transport_test

import (
	"context"
	"errors"
	"testing"

	"github.com/outrider-go/outrider/transport"
)

// TestWithAnEndedContext: what need not be waited for is had all the same, each time.
func TestWithAnEndedContext(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	done, turn := make(chan struct{}), transport.NewTurn()
	if err := transport.Wait(ended, done); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	close(done)
	for range 100 {
		if err := transport.Wait(ended, done); err != nil {
			t.Fatalf("Wait for what is done: %v", err)
		}
		if err := turn.Take(ended); err != nil {
			t.Fatalf("Take of a free turn: %v", err)
		}
		if err := turn.Take(ended); !errors.Is(err, context.Canceled) {
			t.Fatalf("Take of a turn that somebody has: %v", err)
		}
		turn.Give()
	}
}

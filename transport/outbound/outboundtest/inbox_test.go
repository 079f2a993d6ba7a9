package outboundtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestInboxWaitsForMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inbox Inbox
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if messages, err := inbox.Wait(t.Context(), 2); err != nil || len(messages) != 2 {
					t.Errorf("there are %d messages, %v; want 2", len(messages), err)
				}
			})
		}
		synctest.Wait()
		inbox.Add(Received{Payload: []byte("a")})
		synctest.Wait()
		inbox.Add(Received{Payload: []byte("b")})
		group.Wait()
	})
}

func TestInboxGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inbox Inbox
		inbox.Add(Received{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		messages, err := inbox.Wait(ctx, 2)
		if !errors.Is(err, context.DeadlineExceeded) || len(messages) != 1 {
			t.Errorf("there are %d messages, %v; want 1 and the deadline", len(messages), err)
		}
	})
}

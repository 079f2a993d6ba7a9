package queue_test

import (
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/leak"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestMessageSize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		message queue.Message
		want    int64
	}{
		{"nothing", queue.Message{}, 0},
		{"payload", queue.Message{Payload: []byte("12345")}, 5},
		{"key", queue.Message{IdempotencyKey: "123"}, 3},
		{"metadata", queue.Message{Metadata: transport.Metadata{"ab": "c", "d": ""}}, 4},
		{"all", queue.Message{Payload: []byte("12345"), IdempotencyKey: "123", Metadata: transport.Metadata{"ab": "c"}}, 11},
		{"what messages share", queue.Message{Endpoint: "https://example.com", Format: "raw", ContentType: "text/plain"}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.message.Size(); got != test.want {
				t.Errorf("Size is %d, want %d", got, test.want)
			}
		})
	}
}

func TestPageLimit(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{
		-1: queue.DefaultPage, 0: queue.DefaultPage, 1: 1, queue.MaxPage: queue.MaxPage, queue.MaxPage + 1: queue.MaxPage,
	} {
		q := queue.Query{Limit: limit}
		if got := q.PageLimit(); got != want {
			t.Errorf("the limit of %d is %d, want %d", limit, got, want)
		}
	}
}

func TestLaneStateIsZero(t *testing.T) {
	t.Parallel()
	lane := queue.Lane{Profile: "acme", Destination: "https://example.com"}
	tests := []struct {
		name  string
		state queue.LaneState
		want  bool
	}{
		{"empty", queue.LaneState{}, true},
		{"only the lane", queue.LaneState{Lane: lane}, true},
		{"paused", queue.LaneState{Lane: lane, PausedUntil: time.Now()}, false},
		{"a reason", queue.LaneState{Reason: "gone"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.state.IsZero(); got != test.want {
				t.Errorf("IsZero is %v, want %v", got, test.want)
			}
		})
	}
}

func TestBacklogWaiting(t *testing.T) {
	t.Parallel()
	b := queue.Backlog{Pending: 1, Deliver: 2, Retry: 4, Delivered: 8, Dead: 16, Cancelled: 32, Expired: 64}
	if got := b.Waiting(); got != 7 {
		t.Errorf("Waiting is %d, want 7", got)
	}
}

func TestLeasedRef(t *testing.T) {
	t.Parallel()
	l := queue.Leased{Message: queue.Message{ID: transport.NewID(time.Now())}, Token: 7}
	if got := l.Ref(); got != (queue.LeaseRef{ID: l.ID, Token: 7}) {
		t.Errorf("Ref is %+v", got)
	}
}

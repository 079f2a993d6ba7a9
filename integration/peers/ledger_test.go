//go:build unix

package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/verify"
)

const (
	batch   = 100   // messages sent at once
	maxOpen = 2_000 // messages that were sent and have not arrived
)

// ledger knows what was sent in one direction, and receives it in the end.
type ledger struct {
	*testing.T
	name, url string

	mu       sync.Mutex
	composed int
	accepted map[string]bool
	arrived  map[string]int
	strange  int
	more     chan struct{} // closed, and made anew, when something arrives
}

func newLedger(t *testing.T, name string) *ledger {
	t.Helper()
	l := &ledger{T: t, name: name, accepted: map[string]bool{}, arrived: map[string]int{}, more: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if payload, err := io.ReadAll(r.Body); err == nil {
			l.receive(payload)
		}
	}))
	t.Cleanup(server.Close)
	l.url = server.URL + "/"
	return l
}

func (l *ledger) receive(payload []byte) {
	name, intact := verify.ReadPayload(payload)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !intact {
		l.strange++
		return
	}
	l.arrived[name]++
	close(l.more)
	l.more = make(chan struct{})
}

// compose returns the next messages, no more than are left to goal.
func (l *ledger) compose(like agent.SendRequest, goal int) (lines func() io.Reader, names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for range min(batch, goal-l.composed) {
		name := fmt.Sprintf("%s-%d", l.name, l.composed)
		l.composed++
		like.PayloadBase64, like.IdempotencyKey = verify.Payload(name, 100+l.composed%200), name
		if err := encoder.Encode(like); err != nil {
			l.Error(err)
		}
		names = append(names, name)
	}
	return func() io.Reader { return bytes.NewReader(text.Bytes()) }, names
}

func (l *ledger) accept(names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		l.accepted[name] = true
	}
}

// sent is how many were sent so far.
func (l *ledger) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.composed
}

// look returns how many have arrived, of how many, and what tells of the next.
func (l *ledger) look() (arrived, composed int, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.arrived), l.composed, l.more
}

// makeRoom waits while too many are under way.
func (l *ledger) makeRoom(ctx context.Context) {
	for ctx.Err() == nil {
		arrived, composed, more := l.look()
		if composed-arrived < maxOpen {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
		}
	}
}

// await waits until so many have arrived. Where nothing does for half a second,
// stuck is called.
func (l *ledger) await(ctx context.Context, goal int, stuck func()) {
	l.Helper()
	for {
		arrived, composed, more := l.look()
		if arrived >= goal {
			return
		}
		timer := time.NewTimer(500 * time.Millisecond)
		select {
		case <-more:
		case <-timer.C:
			if stuck != nil {
				stuck()
			}
		case <-ctx.Done():
			l.Fatalf("%s: %d of %d messages have arrived, %d were sent", l.name, arrived, goal, composed)
		}
		timer.Stop()
	}
}

// duplicates is how many arrivals were of what had arrived before.
func (l *ledger) duplicates() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, times := range l.arrived {
		n += times - 1
	}
	return n
}

// judge says what is wrong in the end. On its way a message is in flight twice:
// from one agent to the other, and from that to here.
func (l *ledger) judge() {
	l.Helper()
	twice := l.duplicates()
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.accepted {
		if l.arrived[name] == 0 {
			l.Errorf("%s was accepted, and is lost", name)
		}
	}
	if len(l.accepted) != l.composed {
		l.Errorf("%s: %d of %d messages were accepted", l.name, len(l.accepted), l.composed)
	}
	if l.strange > 0 {
		l.Errorf("%s: %d messages are not what was sent", l.name, l.strange)
	}
	if twice > 2*verify.InFlight {
		l.Errorf("%s: %d messages arrived twice; %d were in flight", l.name, twice, 2*verify.InFlight)
	}
}

package outbound

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// leaving has a recipient go away in the moment in which its message is cancelled.
type leaving struct{ m *Manager }

func (*leaving) Reaches(string, transport.Peer) bool { return false }

func (s *leaving) Deliver(ctx context.Context, _ string, _ transport.Peer, id transport.ID, _ wireformat.Frame) (transport.Evidence, error) {
	_, err := s.m.Cancel(ctx, queue.Query{IDs: []transport.ID{id}})
	return transport.None, errors.Join(err, transport.ErrNoSession)
}

// A lane whose recipient is away is forgotten with its last message, also where that
// was cancelled during an attempt.
func TestAwayLaneIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, err := memqueue.New(memqueue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		tenant, err := profile.New(profile.DefaultID, profile.Options{Pickup: profile.Pickup{Enabled: true}})
		if err != nil {
			t.Fatal(err)
		}
		directory, err := profile.NewStatic(tenant)
		if err != nil {
			t.Fatal(err)
		}
		sessions := &leaving{}
		m, err := New(store, Options{Sessions: sessions, Profiles: directory})
		if err != nil {
			t.Fatal(err)
		}
		sessions.m = m
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Send(t.Context(), Message{Payload: []byte("x"), Target: wireformat.Target{Recipients: []string{"bob"}}}); err != nil {
			t.Fatal(err)
		}
		if err := m.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m.sched.mu.Lock()
		lanes := len(m.sched.lanes)
		m.sched.mu.Unlock()
		if lanes > 0 {
			t.Errorf("%d lanes without messages are remembered", lanes)
		}
		if _, err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

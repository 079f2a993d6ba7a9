package outbound

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
)

// A room serves again, once its last message has left it.
func TestRoomsGoRound(t *testing.T) {
	t.Parallel()
	for name, atOnce := range map[string]int{"one lane after the other": 1, "many lanes at once": mostPlaces} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScheduler(laneRules{limit: 8})
			w := &worker{wake: make(chan struct{}, 1), now: time.Now()}
			var finished *lane
			made := map[*room]struct{}{}
			for i := range 3 {
				for j := range atOnce {
					s.notify(laneNo("profile", i*atOnce+j), time.Time{})
				}
				var inside []lease
				for len(inside) < 2*atOnce {
					l, do, _ := s.take(w, finished)
					if do == taskLease {
						w.room.messages = append(w.room.messages, queue.Leased{}, queue.Leased{})
						made[w.room] = struct{}{}
						s.leased(w, l, supply{room: w.room})
					}
					finished, inside = l, append(inside, w.leased)
				}
				s.leave(inside)
			}
			kept := min(atOnce, mostPlaces/2)
			if len(s.rooms.empty) != kept || s.rooms.size != 2*kept || len(made) != 3*atOnce-2*kept {
				t.Errorf("%d rooms for %d messages are kept, and %d were made", len(s.rooms.empty), s.rooms.size, len(made))
			}
		})
	}
}

// What is leased ahead stays where it is, whoever takes it and in whatever order.
func TestLeasesStayInTheirRoom(t *testing.T) {
	t.Parallel()
	s := newScheduler(laneRules{limit: 8})
	w := &worker{wake: make(chan struct{}, 1), now: time.Now()}
	s.notify(laneNo("profile", 0), time.Time{})
	l, _, _ := s.take(w, nil)
	var messages []queue.Leased
	for i := range byte(4) {
		messages = append(messages, queue.Leased{Message: queue.Message{ID: transport.ID{1 + i}}})
	}
	s.leased(w, l, supply{room: roomFor(messages...)})
	all := append([]lease{w.leased}, s.withdraw(l.key, transport.ID{3})...)
	if others := s.withdraw(l.key, transport.ID{3}); others != nil {
		t.Errorf("a message was withdrawn twice")
	}
	all = append(all, s.pause(l.key, queue.Forever, "")...)
	if !l.ready.empty() {
		t.Error("the lane keeps memory for messages that were given back")
	}
	var order []byte
	for _, l := range all {
		order = append(order, l.ID[0])
	}
	if want := []byte{1, 3, 2, 4}; !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
	if s.leave(all[:3]); len(s.rooms.empty) != 0 {
		t.Fatal("the room was given up while a message was in it")
	}
	if left := all[0].room.messages[:3]; slices.ContainsFunc(left, hasID) || !hasID(*all[3].Leased) {
		t.Error("the room keeps what has left it, or does not keep what has not")
	}
	if s.leave(all[3:]); len(s.rooms.empty) != 1 {
		t.Fatal("the room was not given back")
	}
	if left := s.rooms.empty[0].messages[:len(messages)]; slices.ContainsFunc(left, hasID) {
		t.Error("the room keeps what was in it")
	}
}

func hasID(l queue.Leased) bool { return !l.ID.IsZero() }

// What a store has read before it failed is not kept.
func TestFailedLeaseLeavesNothing(t *testing.T) {
	t.Parallel()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(halfStore{store}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.base = t.Context()
	w := newWorker(m)
	m.sched.notify(laneNo("profile", 0), time.Time{})
	l, _, _ := m.sched.take(w, nil)
	w.room.messages = make([]queue.Leased, 0, 2)
	room := w.room
	if w.lease(l, 2) {
		t.Error("a worker has a message that the store failed to lease")
	}
	if read := room.messages[:2]; slices.ContainsFunc(read, hasID) {
		t.Error("the room keeps what was read before the store failed")
	}
	w.context.end()
}

// halfStore fails when it has read a message.
type halfStore struct{ queue.Store }

func (halfStore) Lease(_ context.Context, _ queue.LeaseRequest, into []queue.Leased) ([]queue.Leased, error) {
	_ = append(into, queue.Leased{Message: queue.Message{ID: transport.ID{1}}})
	return into, errors.New("the disk is gone")
}

package wsout

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// slots bound the connections of a transport, of all and of those to one host.
type slots struct {
	most, mostPerHost int

	mu    sync.Mutex
	taken map[*slot]struct{}
	freed chan struct{} // closed when one is given back; nil unless somebody waits
}

// slot is the room of one connection, from before it is dialled.
type slot struct {
	profile, host string
	conn          *conn // nil while it is dialled; guarded by the slots' mutex
	leaving       bool  // it makes room; guarded by the slots' mutex
}

// errTooManyConns says that there is no room for another connection.
var errTooManyConns = errors.New("all connections that may be open are in use: try again, or raise the limit")

func newSlots(most, mostPerHost int) slots {
	return slots{most: most, mostPerHost: mostPerHost, taken: map[*slot]struct{}{}}
}

// take waits for a slot, for at most patience. Where there is none, the connection
// that was idle longest is closed.
func (s *slots) take(ctx context.Context, profile, host string, patience time.Duration) (*slot, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		taken, freed := s.tryTake(profile, host)
		if taken != nil {
			return taken, nil
		}
		select {
		case <-freed:
		case <-timer.C:
			return nil, errTooManyConns
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryTake takes a slot, or returns what to wait for.
func (s *slots) tryTake(profile, host string) (taken *slot, freed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest, oldestOfHost idlest
	all, ofHost := 0, 0
	for other := range s.taken {
		if other.leaving {
			continue
		}
		all++
		same := other.profile == profile && other.host == host
		if same {
			ofHost++
			oldestOfHost.offer(other)
		}
		oldest.offer(other)
	}
	victim := oldest.slot
	if crowded := ofHost >= s.mostPerHost; crowded || all >= s.most {
		if crowded {
			victim = oldestOfHost.slot
		}
		if victim == nil {
			if s.freed == nil {
				s.freed = make(chan struct{})
			}
			return nil, s.freed
		}
		victim.leaving = true
		victim.conn.retire(websocket.CloseNormalClosure)
	}
	taken = &slot{profile: profile, host: host}
	s.taken[taken] = struct{}{}
	return taken, nil
}

// fill says whose slot it is.
func (s *slots) fill(taken *slot, c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken.conn, c.slot = c, taken
}

func (s *slots) giveBack(taken *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.taken, taken)
	if s.freed != nil {
		close(s.freed)
		s.freed = nil
	}
}

// conns returns the connections that run now.
func (s *slots) conns() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.taken))
	for taken := range s.taken {
		if taken.conn != nil {
			all = append(all, taken.conn)
		}
	}
	return all
}

// idlest is the slot whose connection was idle longest, of those that were offered.
type idlest struct {
	slot *slot
	used time.Time
}

func (i *idlest) offer(s *slot) {
	if s.conn == nil {
		return
	}
	if used, idle := s.conn.idleSince(); idle && (i.slot == nil || used.Before(i.used)) {
		i.slot, i.used = s, used
	}
}

package inbound

import (
	"cmp"
	"slices"
	"sync"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// address is a key within a profile.
type address struct{ profile, key string }

// table finds sessions. Its lock is taken before that of a session.
type table struct {
	limit, perProfile, keys int // of Options; perProfile 0: no limit

	mu        sync.Mutex
	full      bool // it takes no sessions any more
	byID      map[string]*Session
	byAddress map[address][]*Session // that take messages for it
	counts    map[string]int         // by profile, where that is limited
	idle      chan struct{}          // closed when it is full and empty
}

func newTable(o *Options) *table {
	return &table{
		limit: o.MaxSessions, perProfile: o.MaxSessionsPerProfile, keys: o.MaxKeysPerSession,
		byID: map[string]*Session{}, byAddress: map[address][]*Session{}, counts: map[string]int{},
		idle: make(chan struct{}),
	}
}

func (t *table) add(s *Session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.full:
		return ErrStopped
	case len(t.byID) >= t.limit:
		return ErrBusy
	}
	t.byID[s.id] = s
	return nil
}

// shut takes no more sessions. The channel is closed once there are none.
func (t *table) shut() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.full {
		t.full = true
		t.closeIdle()
	}
	return t.idle
}

func (t *table) closeIdle() {
	if t.full && len(t.byID) == 0 {
		close(t.idle)
	}
}

// remove forgets a session and returns what it has not written; false where that
// was done before.
func (t *table) remove(s *Session) ([]*Outgoing, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	s.closed = true
	delete(t.byID, s.id)
	for i := range s.routes {
		t.index(s, &s.routes[i], false)
	}
	for _, profile := range s.profiles {
		if t.counts[profile]--; t.counts[profile] == 0 {
			delete(t.counts, profile)
		}
	}
	t.closeIdle()
	return s.out.clear(), true
}

// maxName is the longest key or thread, in bytes, that is kept.
const maxName = 1024

// learnt is what came of a message's return route.
type learnt struct {
	more   bool // the session takes more for the key than before
	silent bool // the peer has said that it takes nothing
}

// learn keeps what a message says of what its sender takes. The error is ErrBusy:
// the profile has as many sessions as it may.
func (t *table) learn(s *Session, at address, returnRoute, thread string) (learnt, error) {
	if t.perProfile > 0 || returnRoute != "" && at.key != "" {
		t.mu.Lock()
		defer t.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return learnt{}, nil
	}
	if err := t.count(s, at.profile); err != nil {
		return learnt{}, err
	}
	if len(at.key) > maxName || len(thread) > maxName {
		return learnt{silent: returnRoute == wireformat.ReturnRouteNone}, nil // nobody's name is as long
	}
	r := s.routeOf(at.profile, at.key)
	if r == nil {
		if len(s.routes) >= t.keys {
			return learnt{silent: returnRoute == wireformat.ReturnRouteNone}, nil
		}
		s.routes = append(s.routes, route{profile: at.profile, key: at.key})
		r = &s.routes[len(s.routes)-1]
	}
	before := r.mode
	more := r.ask(returnRoute, thread)
	if reachable := r.mode > modeNone; reachable != (before > modeNone) {
		t.index(s, r, reachable)
	}
	return learnt{more: more && at.key != "", silent: r.mode == modeNone}, nil
}

// count counts the session against its profile's limit, once.
func (t *table) count(s *Session, profile string) error {
	if t.perProfile == 0 || slices.Contains(s.profiles, profile) {
		return nil
	}
	if t.counts[profile] >= t.perProfile {
		return ErrBusy
	}
	t.counts[profile]++
	s.profiles = append(s.profiles, profile)
	return nil
}

// index makes the session one of those that are found by the route's key, or not.
// Both locks are held, unless the route has no key.
func (t *table) index(s *Session, r *route, reachable bool) {
	if r.key == "" {
		return
	}
	at := address{r.profile, r.key}
	all := t.byAddress[at]
	i, known := slices.BinarySearchFunc(all, s, older)
	switch {
	case reachable && !known:
		t.byAddress[at] = slices.Insert(all, i, s)
	case reachable, !known:
	case len(all) == 1:
		delete(t.byAddress, at)
	default:
		t.byAddress[at] = slices.Delete(all, i, i+1)
	}
}

// older orders sessions by when they were opened.
func older(a, b *Session) int { return cmp.Or(a.opened.Compare(b.opened), cmp.Compare(a.id, b.id)) }

// find returns the sessions that may reach the peer: the one it names, then the
// others, oldest first. named is nil where the one it names is not here.
func (t *table) find(profile string, to *transport.Peer) (all []*Session, named *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range to.Keys {
		all = append(all, t.byAddress[address{profile, key}]...)
	}
	if len(to.Keys) > 1 {
		slices.SortFunc(all, older)
		all = slices.Compact(all)
	}
	if named = t.byID[to.Session]; named != nil {
		all = slices.Insert(all, 0, named) // it may be there twice: it is tried once
	}
	return all, named
}

func (t *table) get(id string) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

// all returns the sessions, oldest first.
func (t *table) all() []*Session {
	t.mu.Lock()
	all := make([]*Session, 0, len(t.byID))
	for _, s := range t.byID {
		all = append(all, s)
	}
	t.mu.Unlock()
	slices.SortFunc(all, older)
	return all
}

package inbound

import (
	"fmt"
	"slices"
	"time"

	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
)

// SessionInfo describes a session that is open.
type SessionInfo struct {
	ID       string     `json:"id"`
	Scheme   string     `json:"scheme"`
	Local    string     `json:"local,omitempty"`
	Remote   string     `json:"remote"`
	Profiles []string   `json:"profiles,omitempty"` // it has brought messages for
	Peers    []PeerInfo `json:"peers,omitempty"`    // that have sent by it
	Opened   time.Time  `json:"opened"`
	// Received and Sent count messages, Queued those that wait to be written.
	Received int64 `json:"received"`
	Sent     int64 `json:"sent"`
	Queued   int   `json:"queued,omitempty"`
}

// PeerInfo is what a session takes for one peer.
type PeerInfo struct {
	Profile string `json:"profile"`
	Key     string `json:"key,omitempty"` // empty: reached by the session alone
	// ReturnRoute is none, thread or all; empty where the peer has not said.
	ReturnRoute string   `json:"return_route,omitempty"`
	Threads     []string `json:"threads,omitempty"`
}

// Sessions lists the open sessions, oldest first.
func (m *Manager) Sessions() []SessionInfo {
	open := m.sessions.all()
	all := make([]SessionInfo, 0, len(open))
	for _, s := range open {
		all = append(all, s.info())
	}
	return all
}

// TransportStatistics is the snapshot of one transport's collector.
type TransportStatistics struct {
	Transport string         `json:"transport"` // its name, which is its scheme: "http"
	Address   string         `json:"address,omitempty"`
	Stats     stats.Snapshot `json:"stats"`
}

// Stats takes a snapshot of each transport's collector, in the order of their
// registration.
func (m *Manager) Stats() []TransportStatistics {
	var all []TransportStatistics
	for _, h := range m.hosts() {
		if h.collector != nil {
			all = append(all, TransportStatistics{h.scheme, h.Address(), h.collector.Snapshot()})
		}
	}
	return all
}

// CloseSession ends a session. The error is transport.ErrSessionGone where there
// is none of that id, and ErrLasting where it ends with its transport only.
func (m *Manager) CloseSession(id string) error {
	s := m.sessions.get(id)
	if s == nil {
		return fmt.Errorf("session %q: %w", id, transport.ErrSessionGone)
	}
	if !s.options.canEnd() {
		return fmt.Errorf("session %q: %w", id, ErrLasting)
	}
	s.end(ErrSessionClosed)
	return nil
}

func (s *Session) info() SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := SessionInfo{
		ID: s.id, Scheme: s.origin.Scheme, Local: s.origin.Local, Remote: s.origin.Remote, Opened: s.opened,
		Received: s.received.Load(), Sent: s.sent.Load(), Queued: len(s.out.queue),
	}
	for i := range s.routes {
		r := &s.routes[i]
		if !slices.Contains(info.Profiles, r.profile) {
			info.Profiles = append(info.Profiles, r.profile)
		}
		info.Peers = append(info.Peers, PeerInfo{
			Profile: r.profile, Key: r.key, ReturnRoute: modeNames[r.mode], Threads: slices.Clone(r.threads),
		})
	}
	return info
}

func (s *Session) event() SessionEvent {
	e := SessionEvent{
		Session: s.id, Scheme: s.origin.Scheme, Remote: s.origin.Remote, Opened: s.opened,
		Received: s.received.Load(), Sent: s.sent.Load(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != nil {
		e.Reason = s.ending.Error()
	}
	return e
}

package agent

import (
	"net/http"
	"time"
)

// stats answers with the counts of messages, and the statistics of each transport
// and each receiver.
func (s *api) stats(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	all, err := s.manager.Stats(r.Context())
	if err != nil {
		return err
	}
	b := &all.Backlog
	view := StatsView{
		Messages: MessageCounts{
			Pending: b.Pending, Deliver: b.Deliver, Retry: b.Retry,
			Delivered: b.Delivered, Dead: b.Dead, Cancelled: b.Cancelled, Expired: b.Expired, Bytes: b.Bytes,
		},
		InFlight:     all.InFlight,
		Destinations: all.Destinations,
		Transports:   make([]TransportStatsView, len(all.Transports)),
	}
	if !b.Oldest.IsZero() {
		view.Messages.OldestSeconds = max(time.Since(b.Oldest), 0).Seconds()
	}
	for i, t := range all.Transports {
		view.Transports[i] = TransportStatsView(t)
	}
	for _, t := range s.inbound.Stats() {
		view.Receivers = append(view.Receivers, ReceiverStatsView(t))
	}
	return reply(w, http.StatusOK, view)
}

// live answers that the process runs.
func (s *api) live(w http.ResponseWriter, _ *http.Request) error {
	return reply(w, http.StatusOK, HealthView{Status: "ok"})
}

// isReady answers whether a message would be accepted.
func (s *api) isReady(w http.ResponseWriter, _ *http.Request) error {
	if err := s.ready(); err != nil {
		return reply(w, http.StatusServiceUnavailable, HealthView{Status: "unavailable", Reason: err.Error()})
	}
	return reply(w, http.StatusOK, HealthView{Status: "ok"})
}

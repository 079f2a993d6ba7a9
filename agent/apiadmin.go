package agent

import (
	"context"
	"net/http"
	"time"
)

// stats answers with the counts of messages, and the statistics of each transport
// and each receiver.
func (s *api) stats(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	view, err := s.statsView(r.Context())
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, view)
}

// statsView returns the figures of now.
func (s *api) statsView(ctx context.Context) (StatsView, error) {
	all, err := s.manager.Stats(ctx)
	if err != nil {
		return StatsView{}, err
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
	return view, nil
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

package agent

import (
	"net/http"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// stats answers with the counts of messages and each transport's statistics.
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
		InFlight:   all.InFlight,
		Transports: make([]TransportStatsView, len(all.Transports)),
	}
	if !b.Oldest.IsZero() {
		view.Messages.OldestSeconds = max(time.Since(b.Oldest), 0).Seconds()
	}
	for i, t := range all.Transports {
		view.Transports[i] = TransportStatsView(t)
	}
	return reply(w, http.StatusOK, view)
}

// destinations answers with those that are paused.
func (s *api) destinations(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	paused, err := s.manager.Paused(r.Context())
	if err != nil {
		return err
	}
	view := DestinationsView{Destinations: []DestinationView{}}
	for _, state := range paused {
		if state.PausedUntil.After(time.Now()) {
			view.Destinations = append(view.Destinations, destinationOf(state))
		}
	}
	return reply(w, http.StatusOK, view)
}

func destinationOf(state queue.LaneState) DestinationView {
	view := DestinationView{
		Profile: state.Lane.Profile, Destination: state.Lane.Destination,
		PausedUntil: state.PausedUntil, Reason: state.Reason,
	}
	if view.PausedUntil.Equal(queue.Forever) {
		view.PausedUntil = time.Time{}
	}
	return view
}

// pause holds a destination.
func (s *api) pause(w http.ResponseWriter, r *http.Request) error {
	request, lane, err := s.pauseRequest(w, r, true)
	if err != nil {
		return err
	}
	state := queue.LaneState{Lane: lane, PausedUntil: queue.Forever, Reason: "paused by an operator"}
	if request.For != "" {
		wait, err := time.ParseDuration(request.For)
		if err != nil || wait <= 0 {
			return fieldError("for", "want a duration above zero, such as 90s or 24h, or nothing, to pause until it is resumed")
		}
		state.PausedUntil = time.Now().Add(wait)
	}
	if err := s.manager.PauseDestination(r.Context(), state); err != nil {
		return err
	}
	return reply(w, http.StatusOK, destinationOf(state))
}

// resume lets a destination run again. One that runs is left as it is.
func (s *api) resume(w http.ResponseWriter, r *http.Request) error {
	_, lane, err := s.pauseRequest(w, r, false)
	if err != nil {
		return err
	}
	if err := s.manager.ResumeDestination(r.Context(), lane); err != nil {
		return err
	}
	return reply(w, http.StatusOK, destinationOf(queue.LaneState{Lane: lane}))
}

// pauseRequest reads which destination of which profile is meant.
func (s *api) pauseRequest(w http.ResponseWriter, r *http.Request, timed bool) (request PauseRequest, lane queue.Lane, err error) {
	if _, err := query(r); err != nil {
		return request, lane, err
	}
	if mediaType, err := bodyType(r); err != nil || mediaType != typeJSON {
		return request, lane, problem(kindMediaType, "want the content type %s", typeJSON)
	}
	body, err := s.body(w, r)
	if err != nil {
		return request, lane, err
	}
	err = decodeObject(body, func(name string) any {
		switch {
		case name == "profile":
			return &request.Profile
		case name == "destination":
			return &request.Destination
		case name == "for" && timed:
			return &request.For
		}
		return nil
	})
	if err != nil {
		return request, lane, err
	}
	endpoint, err := readEndpoint("destination", request.Destination)
	if err != nil {
		return request, lane, err
	}
	tenant, err := s.profile(r.Context(), request.Profile)
	if err != nil {
		return request, lane, err
	}
	return request, queue.Lane{Profile: tenant.ID(), Destination: endpoint.Destination()}, nil
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

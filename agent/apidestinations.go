package agent

import (
	"errors"
	"net/http"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport/outbound"
)

// destinations answers with those that are paused or fail.
func (s *api) destinations(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	all := s.manager.Destinations(r.Context())
	view := DestinationsView{Destinations: make([]DestinationView, len(all))}
	for i := range all {
		view.Destinations[i] = destinationView(&all[i])
	}
	return reply(w, http.StatusOK, view)
}

func destinationView(d *outbound.Destination) DestinationView {
	view := DestinationView{
		Profile: d.Lane.Profile, Destination: d.Lane.Destination,
		Paused: !d.PausedUntil.IsZero(), PausedUntil: d.PausedUntil, Reason: d.Reason,
		Breaker: d.Breaker, OpenUntil: d.OpenUntil,
		Failures: d.Failures, FailingSince: d.FailingSince, Class: d.Class, Error: d.Error, InFlight: d.InFlight,
		RatePerSecond: d.Rate.PerSecond, Burst: d.Rate.Burst,
	}
	if d.PausedUntil.Equal(queue.Forever) {
		view.PausedUntil = time.Time{}
	}
	return view
}

// replyDestination answers with how a destination is now.
func (s *api) replyDestination(w http.ResponseWriter, r *http.Request, lane queue.Lane) error {
	d := s.manager.Destination(r.Context(), lane)
	return reply(w, http.StatusOK, destinationView(&d))
}

// pause holds a destination.
func (s *api) pause(w http.ResponseWriter, r *http.Request) error {
	request, lane, err := s.pauseRequest(w, r, true)
	if err != nil {
		return err
	}
	until := queue.Forever
	if request.For != "" {
		wait, err := time.ParseDuration(request.For)
		if err != nil || wait < time.Millisecond {
			return fieldError("for", "want a duration of a millisecond or more, such as 90s or 24h, or nothing, to pause until it is resumed")
		}
		until = time.Now().Add(wait)
	}
	if err := s.manager.PauseDestination(r.Context(), lane, until, "paused by an operator"); err != nil {
		return err
	}
	return s.replyDestination(w, r, lane)
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
	return s.replyDestination(w, r, lane)
}

// test makes one attempt at a destination, and answers with what came of it. It
// may take longer than other requests: the attempt, and the wait for a worker.
func (s *api) test(w http.ResponseWriter, r *http.Request) error {
	_, lane, err := s.pauseRequest(w, r, false)
	if err != nil {
		return err
	}
	control, until := http.NewResponseController(w), time.Now().Add(s.testTime)
	if err := errors.Join(control.SetReadDeadline(until), control.SetWriteDeadline(until)); err != nil {
		return err
	}
	test, err := s.manager.TestDestination(r.Context(), lane)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, DestinationTestView{test, float64(test.Duration) / float64(time.Millisecond)})
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

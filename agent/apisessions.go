package agent

import (
	"errors"
	"net/http"

	"github.com/outrider-go/outrider/transport/inbound"
)

// sessions answers with the sessions that are open.
func (s *api) sessions(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	return reply(w, http.StatusOK, SessionsView{Sessions: append([]inbound.SessionInfo{}, s.inbound.Sessions()...)})
}

// closeSession ends a session: its peer may open another.
func (s *api) closeSession(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	switch err := s.inbound.CloseSession(id); {
	case errors.Is(err, inbound.ErrLasting):
		return problem(kindConflict, "%v: to end a link to a broker, take its URL from inbound.from and start again", inbound.ErrLasting)
	case err != nil:
		return problem(kindNotFound, "no session has that id")
	}
	return reply(w, http.StatusAccepted, SessionClosing{ID: id})
}

// pickups answers with the recipients for whom messages wait.
func (s *api) pickups(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	all, err := s.manager.Pickups(r.Context())
	if err != nil {
		return err
	}
	view := PickupsView{Pickups: make([]PickupView, len(all))}
	for i := range all {
		p := &all[i]
		view.Pickups[i] = PickupView{
			Profile: p.Profile, Endpoint: p.Endpoint, Recipients: append([]string{}, p.Keys...),
			Messages: p.Messages, Bytes: p.Bytes, Oldest: p.Oldest,
		}
	}
	return reply(w, http.StatusOK, view)
}

package agent

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// get answers with one message and its attempts.
func (s *api) get(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	values, err := query(r, "payload")
	if err != nil {
		return err
	}
	withPayload, err := readFlag(values, "payload")
	if err != nil {
		return err
	}
	record, err := s.manager.Get(r.Context(), id, withPayload)
	if err != nil {
		return err
	}
	attempts, err := s.manager.Attempts(r.Context(), id)
	if err != nil {
		return err
	}
	view := s.viewOf(&record)
	view.Attempts = attemptsOf(&record, attempts)
	if withPayload {
		showPayload(&view, &record)
		showResponses(view.Attempts, attempts)
	}
	return reply(w, http.StatusOK, view)
}

// list answers with a page of messages, newest first.
func (s *api) list(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, "state", "endpoint", "profile", "limit", "cursor")
	if err != nil {
		return err
	}
	q, err := selection(values)
	if err != nil {
		return err
	}
	q.Descending = true
	page, err := s.manager.List(r.Context(), q)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, s.pageOf(page))
}

// cancel ends one message.
func (s *api) cancel(w http.ResponseWriter, r *http.Request) error {
	return s.changeOne(w, r, s.manager.Cancel, "only messages that are not done are cancelled")
}

// replay queues one message again.
func (s *api) replay(w http.ResponseWriter, r *http.Request) error {
	return s.changeOne(w, r, s.manager.Replay, "only dead, expired and cancelled messages are replayed")
}

// changeOne changes the message that the path names, and answers with how it is
// now; with rule, where there was nothing to change.
func (s *api) changeOne(w http.ResponseWriter, r *http.Request,
	change func(context.Context, queue.Query) (queue.Page, error), rule string,
) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	page, err := change(r.Context(), queue.Query{IDs: []transport.ID{id}})
	if err != nil {
		return err
	}
	if len(page.Records) == 1 {
		return reply(w, http.StatusOK, s.viewOf(&page.Records[0]))
	}
	record, err := s.manager.Get(r.Context(), id, false)
	if err != nil {
		return err
	}
	state := string(record.State)
	if record.Result != "" {
		state = string(record.Result)
	}
	return problem(kindConflict, "the message's state is %s: %s", state, rule)
}

// replayPage queues the messages of a page again, oldest first. A dry run only
// lists them.
func (s *api) replayPage(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, "result", "since", "limit", "cursor", "dry_run")
	if err != nil {
		return err
	}
	dry, err := readFlag(values, "dry_run")
	if err != nil {
		return err
	}
	var q queue.Query
	if err := errors.Join(selectResults(&q, values["result"]), selectSince(&q, values["since"], time.Now()), selectPage(&q, values)); err != nil {
		return err
	}
	change := s.manager.Replay
	if dry {
		change = s.manager.List
	}
	page, err := change(r.Context(), q)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, s.pageOf(page))
}

func pathID(r *http.Request) (transport.ID, error) {
	id, err := transport.ParseID(r.PathValue("id"))
	if err != nil {
		return id, fieldError("id", "%w", err)
	}
	return id, nil
}

func (s *api) pageOf(page queue.Page) MessagePage {
	answer := MessagePage{Messages: make([]MessageView, len(page.Records))}
	waits := s.manager.Waits(page.Records)
	for i := range page.Records {
		answer.Messages[i] = viewOf(&page.Records[i], waits[i])
	}
	if !page.Next.IsZero() {
		answer.Cursor = page.Next.String()
	}
	return answer
}

func (s *api) viewOf(r *queue.Record) MessageView {
	return viewOf(r, s.manager.Waits([]queue.Record{*r})[0])
}

func viewOf(r *queue.Record, wait outbound.Wait) MessageView {
	view := MessageView{
		ID: r.ID, Status: r.Status, State: r.State, Result: r.Result, Evidence: r.Evidence,
		Endpoint: r.Endpoint, Profile: r.Lane.Profile, WireFormat: r.Format, ContentType: r.ContentType,
		Bytes: r.Bytes, AttemptsMade: r.Attempts, Replays: r.Replays,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, NextAttemptAt: nextAttempt(r), ExpiresAt: r.ExpiresAt,
		LastError: r.LastError, Priority: r.Priority, OrderingKey: r.OrderingKey, MinEvidence: r.MinEvidence,
	}
	if wait.For != "" { // NextAt is over by then
		view.NextAttemptAt, view.WaitingFor, view.WaitingUntil = wait.Until, wait.For, wait.Until
	}
	if r.SkipBlocked {
		view.OnBlocked = outbound.BlockedSkip
	}
	for i := range r.Targets {
		if i != r.Target {
			view.Alternates = append(view.Alternates, r.Targets[i].Endpoint)
		}
	}
	return view
}

// nextAttempt returns when the next attempt is due. For one that waits for the instant
// it was sent for that is this very instant: a store counts time on another clock, and
// comes back from it some nanoseconds off.
func nextAttempt(r *queue.Record) time.Time {
	if r.State == queue.StatePending && r.NextAt.Sub(r.NotBefore).Abs() < time.Millisecond {
		return r.NotBefore
	}
	return r.NextAt
}

func attemptsOf(r *queue.Record, attempts []queue.Attempt) []AttemptView {
	views := make([]AttemptView, len(attempts))
	for i := range attempts {
		a := &attempts[i]
		views[i] = AttemptView{
			N: a.N, StartedAt: a.StartedAt, DurationMS: float64(a.Duration) / float64(time.Millisecond),
			Class: a.Class, Code: a.Code, Error: a.Error, Note: a.Note, Evidence: a.Evidence,
		}
		if a.Target >= 0 && a.Target < len(r.Targets) {
			views[i].Endpoint = r.Targets[a.Target].Endpoint
		}
	}
	return views
}

// showResponses adds what the peer answered, which may be what it was sent.
func showResponses(views []AttemptView, attempts []queue.Attempt) {
	for i := range views {
		views[i].Response = strings.ToValidUTF8(string(attempts[i].Response), "\uFFFD")
	}
}

// showPayload adds the payload and the names of the metadata, unless the store has let
// go of them. The values often are what authorises the message, and stay secret.
func showPayload(view *MessageView, r *queue.Record) {
	for name := range r.Metadata {
		if view.Metadata == nil {
			view.Metadata = make(map[string]string, len(r.Metadata))
		}
		view.Metadata[name] = "***"
	}
	switch {
	case r.Payload == nil && r.Result == queue.Delivered:
		view.PayloadRemoved = true
	case r.Text && utf8.Valid(r.Payload):
		text := string(r.Payload)
		view.Payload = &text
	default:
		view.PayloadBase64 = r.Payload
	}
}

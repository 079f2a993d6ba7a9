package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/transport/outbound"
)

// TopicMissed is the topic of a [MissedView].
const TopicMissed = "missed"

// The hints of a [MissedView].
const (
	missedSlow    = "these events are no longer kept: GET /v1/messages shows what became of the messages"
	missedRestart = "the agent has begun anew since the Last-Event-ID, which is not of this run: GET /v1/messages shows what became of the messages"
)

// streamEvents sends events as they happen, until the client or the agent ends.
// One that says which event it had last is sent what followed first.
func (s *api) streamEvents(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, "topic")
	if err != nil {
		return err
	}
	text, ok := values["topic"]
	if !ok {
		text = "(?s).*"
	}
	topics, err := event.ParsePattern(text)
	if err != nil {
		return fieldError("topic", "is not a regular expression (RE2)")
	}
	began := time.Now()
	last, err := s.eventLog.open()
	if errors.Is(err, event.ErrClosed) {
		return outbound.ErrStopped
	}
	if err != nil {
		return err
	}
	defer s.eventLog.leave()
	stream := &eventStream{w: w, control: http.NewResponseController(w), log: s.eventLog, topics: topics, since: began, position: last}
	if err := stream.control.SetReadDeadline(time.Time{}); err != nil { // the client only listens
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return nil
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		stream.resume(id)
	}
	if err := stream.run(r.Context().Done(), s.closing); err != nil {
		s.log.Debug("event stream has ended", zap.Error(err))
	}
	return nil
}

// eventStream is one client that listens.
type eventStream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	log      *eventLog
	topics   *event.Pattern
	since    time.Time // events from before are not sent
	position uint64    // the number of the last event that was looked at
	foreign  bool      // it goes on from an event of another run
}

// resume has the stream go on after the event with an id.
func (s *eventStream) resume(id string) {
	number, ok := s.log.number(id, s.position)
	if !ok {
		s.foreign = true
		return
	}
	s.position, s.since = number, time.Time{}
}

// run sends events until gone or closing is closed. The error is that of writing.
func (s *eventStream) run(gone, closing <-chan struct{}) error {
	err := s.comment("connected")
	if s.foreign && err == nil {
		err = s.missed(MissedView{Hint: missedRestart})
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err == nil {
		entries, last, more := s.log.after(s.position)
		if len(entries) > 0 || last > s.position {
			err = s.send(entries, last)
			continue
		}
		if err = s.control.Flush(); err != nil || closing == nil {
			break
		}
		select {
		case <-more:
		case <-beat.C:
			err = s.comment("still here")
		case <-closing:
			closing = nil // and nothing is added any more
		case <-gone:
			return nil
		}
	}
	return err
}

// send sends the entries that follow the position, or, where there are none, tells
// that all up to last are gone.
func (s *eventStream) send(entries []logEntry, last uint64) error {
	if len(entries) == 0 {
		return s.pass(last + 1)
	}
	for i := range entries {
		e := &entries[i]
		if err := s.pass(e.n); err != nil {
			return err
		}
		s.position = e.n
		if e.time.Before(s.since) || !s.topics.Match(e.topic) {
			continue
		}
		if err := s.write(e.frame); err != nil {
			return err
		}
	}
	return nil
}

// pass moves the position to just before the event with a number, and tells how many
// were lost on the way.
func (s *eventStream) pass(next uint64) error {
	lost := next - 1 - s.position
	if lost == 0 {
		return nil
	}
	s.position += lost
	return s.missed(MissedView{Count: lost, Hint: missedSlow})
}

func (s *eventStream) missed(view MissedView) error {
	payload, err := json.Marshal(view)
	if err != nil {
		return err
	}
	data, err := json.Marshal(EventView{Topic: TopicMissed, Time: time.Now(), Payload: payload})
	if err != nil {
		return err
	}
	return s.write(s.log.frame(TopicMissed, s.position, data))
}

// comment tells the client that it is connected, and from which event on it would go
// on: also one of whose topics nothing has happened for long misses nothing then.
func (s *eventStream) comment(text string) error {
	return s.write(fmt.Appendf(nil, ": %s\nid: %s\n\n", text, s.log.id(s.position)))
}

func (s *eventStream) write(frame []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil {
		return err
	}
	_, err := s.w.Write(frame)
	return err
}

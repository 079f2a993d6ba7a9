package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/transport/outbound"
)

// topicDropped tells a listener that it was too slow.
const topicDropped = "dropped"

// streamEvents sends events as they happen, until the client or the agent ends.
func (s *api) streamEvents(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, "topic")
	if err != nil {
		return err
	}
	pattern, ok := values["topic"]
	if !ok {
		pattern = ".*"
	}
	subscription, err := s.events.Subscribe(pattern, event.SubscribeOptions{})
	switch {
	case errors.Is(err, event.ErrPattern):
		return fieldError("topic", "is not a regular expression (RE2)")
	case errors.Is(err, event.ErrClosed):
		return outbound.ErrStopped
	case err != nil:
		return err
	}
	defer subscription.Close()
	stream := &eventStream{w: w, control: http.NewResponseController(w), subscription: subscription, log: s.log}
	if err := stream.control.SetReadDeadline(time.Time{}); err != nil { // the client only listens
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return nil
	}
	if err := stream.run(r.Context().Done(), s.closing); err != nil {
		s.log.Debug("event stream has ended", zap.Error(err))
	}
	return nil
}

// eventStream is one client that listens.
type eventStream struct {
	w            http.ResponseWriter
	control      *http.ResponseController
	subscription *event.Subscription
	log          *zap.Logger

	sequence uint64 // of the last event, lost ones counted
	dropped  uint64 // that the client was told of
}

// run sends events until gone or closing is closed. The error is that of writing.
func (s *eventStream) run(gone, closing <-chan struct{}) error {
	if err := errors.Join(s.comment("connected"), s.control.Flush()); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case e, open := <-s.subscription.Events():
			if !open {
				return nil
			}
			err = s.event(e)
		case <-beat.C:
			err = s.comment("still here")
		case <-closing:
			return s.drain()
		case <-gone:
			return nil
		}
		if err == nil {
			err = s.tellDropped()
		}
		if err == nil && len(s.subscription.Events()) == 0 {
			err = s.control.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// drain sends what is buffered.
func (s *eventStream) drain() error {
	s.subscription.Close()
	for e := range s.subscription.Events() {
		if err := s.event(e); err != nil {
			return err
		}
	}
	return errors.Join(s.tellDropped(), s.control.Flush())
}

// tellDropped tells how many events were lost since it last did.
func (s *eventStream) tellDropped() error {
	lost := s.subscription.Dropped() - s.dropped
	if lost == 0 {
		return nil
	}
	s.dropped += lost
	s.sequence += lost
	return s.event(event.Event{Topic: topicDropped, Time: time.Now(), Payload: DroppedView{Count: lost}})
}

func (s *eventStream) event(e event.Event) error {
	payload, err := json.Marshal(e.Payload)
	if err != nil {
		s.log.Error("event payload is not JSON", zap.String("topic", e.Topic), zap.Error(err))
		payload = []byte("null")
	}
	data, err := json.Marshal(EventView{Topic: e.Topic, Time: e.Time, Payload: payload})
	if err != nil {
		return err
	}
	s.sequence++
	name := strings.NewReplacer("\n", " ", "\r", " ").Replace(e.Topic)
	return s.write("event: %s\nid: %d\ndata: %s\n\n", name, s.sequence, data)
}

func (s *eventStream) comment(text string) error { return s.write(": %s\n\n", text) }

func (s *eventStream) write(format string, args ...any) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.w, format, args...)
	return err
}

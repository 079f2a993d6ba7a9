package wamp2

import (
	"context"
	"fmt"
	"slices"

	"github.com/outrider-go/outrider/wireformat/wamp"
)

// Event is an event as a subscriber gets it.
type Event struct {
	Topic       string
	Publication wamp.ID
	Details     wamp.Dict
	Payload     wamp.Payload
	// Err is why the payload could not be decoded by the session's codec; Payload is
	// empty then.
	Err error
}

// Subscription is made by [Session.Subscribe].
type Subscription struct {
	session *Session
	id      wamp.ID
	topic   string
	handle  func(Event)
}

// Subscribe has handle called with the events of a topic, in order and one at a
// time among all subscriptions of the session. It must not wait for the session.
// options may be nil; with "match" the topic is a pattern.
func (s *Session) Subscribe(ctx context.Context, topic string, options wamp.Dict, handle func(Event)) (*Subscription, error) {
	sub := &Subscription{session: s, topic: topic, handle: handle}
	_, begun, err := s.ask(ctx, wamp.TypeSubscribe, func(id wamp.ID) wamp.Message {
		return &wamp.Subscribe{Request: id, Options: options, Topic: topic}
	}, func(m wamp.Message) {
		if m, ok := m.(*wamp.Subscribed); ok {
			s.mu.Lock()
			defer s.mu.Unlock()
			sub.id = m.Subscription
			s.subscriptions[sub.id] = append(s.subscriptions[sub.id], sub)
		}
	})
	if err != nil {
		return nil, &RequestError{begun, err}
	}
	return sub, nil
}

// Unsubscribe ends the subscription. Its handler is not called any more once it
// returns, unless it is being called now.
func (sub *Subscription) Unsubscribe(ctx context.Context) error {
	s := sub.session
	s.mu.Lock()
	rest := slices.DeleteFunc(slices.Clone(s.subscriptions[sub.id]), func(other *Subscription) bool { return other == sub })
	known := len(rest) != len(s.subscriptions[sub.id])
	s.subscriptions[sub.id] = rest
	if len(rest) == 0 {
		delete(s.subscriptions, sub.id)
	}
	s.mu.Unlock()
	if !known || len(rest) > 0 {
		return nil // the router knows one subscription for all of them
	}
	_, begun, err := s.ask(ctx, wamp.TypeUnsubscribe, func(id wamp.ID) wamp.Message {
		return &wamp.Unsubscribe{Request: id, Subscription: sub.id}
	}, nil)
	if err != nil {
		return &RequestError{begun, err}
	}
	return nil
}

// deliver calls the handlers of events, until there are no more.
func (s *Session) deliver() {
	for m := range s.events {
		s.mu.Lock()
		subs := slices.Clone(s.subscriptions[m.Subscription])
		s.mu.Unlock()
		for _, sub := range subs {
			sub.handle(s.event(sub, m))
		}
	}
}

func (s *Session) event(sub *Subscription, m *wamp.Event) Event {
	e := Event{Topic: sub.topic, Publication: m.Publication, Details: m.Details}
	if topic, ok := m.Details["topic"].(string); ok {
		e.Topic = topic
	}
	e.Payload, e.Err = s.decode(context.Background(), wamp.Responder, e.Topic, m)
	if e.Err != nil {
		e.Err = fmt.Errorf("event of %s: %w", e.Topic, e.Err)
	}
	return e
}

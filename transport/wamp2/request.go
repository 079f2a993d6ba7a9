package wamp2

import (
	"context"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/wireformat/wamp"
)

// request waits for its answer.
type request struct {
	kind   wamp.Type
	answer chan wamp.Message // room for one
	// take is called by the reader with an answer that is no error, before what
	// comes after it: so that no event comes before its subscription is known.
	take func(wamp.Message)
}

// ask sends a request and waits for its answer. build makes the message for the
// request's id.
func (s *Session) ask(ctx context.Context, kind wamp.Type, build func(wamp.ID) wamp.Message, take func(wamp.Message)) (answer wamp.Message, begun bool, err error) {
	r := &request{kind: kind, answer: make(chan wamp.Message, 1), take: take}
	id, err := s.enter(r)
	if err != nil {
		return nil, false, err
	}
	defer s.forget(id)
	if begun, err = s.write(ctx, build(id)); err != nil {
		return nil, begun, err
	}
	select {
	case answer = <-r.answer:
	case <-ctx.Done():
		err = fmt.Errorf("%w: %w", ErrLost, context.Cause(ctx))
	case <-s.done:
		err = fmt.Errorf("%w: %w", ErrLost, s.Err())
	}
	if err != nil {
		select {
		case answer = <-r.answer: // at the same time
		default:
			if kind == wamp.TypeCall {
				s.cancelCall(id)
			}
			return nil, true, err
		}
	}
	if refused, ok := answer.(*wamp.Error); ok {
		return nil, true, &RefusedError{kind, shown(refused.Error), refused.Payload}
	}
	return answer, true, nil
}

func (s *Session) enter(r *request) (wamp.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, fmt.Errorf("%w: %w", ErrClosed, s.err)
	}
	if s.leaving {
		return 0, fmt.Errorf("%w: it is being left", ErrClosed)
	}
	if s.lastRequest == wamp.MaxID {
		s.lastRequest = 0
	}
	s.lastRequest++
	s.pending[s.lastRequest] = r
	return s.lastRequest, nil
}

func (s *Session) forget(id wamp.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

// cancelCall tells the router that nobody waits any more, if that can be said at
// once.
func (s *Session) cancelCall(id wamp.ID) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = s.write(ctx, &wamp.Cancel{Request: id, Options: wamp.Dict{"mode": "killnowait"}})
}

// resolve hands an answer to whom it is for. Answers that nobody waits for any more
// are dropped.
func (s *Session) resolve(id wamp.ID, kind wamp.Type, m wamp.Message) error {
	s.mu.Lock()
	r := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	if r.kind != kind {
		return &wamp.ProtocolError{Message: m.Type().String(), Field: "Request", Reason: "it answers a request of another type"}
	}
	if _, refused := m.(*wamp.Error); !refused && r.take != nil {
		r.take(m)
	}
	r.answer <- m
	return nil
}

// take handles a message of the router.
func (s *Session) take(ctx context.Context, m wamp.Message) error { //nolint:cyclop // one case for each message
	switch m := m.(type) {
	case *wamp.Published:
		return s.resolve(m.Request, wamp.TypePublish, m)
	case *wamp.Subscribed:
		return s.resolve(m.Request, wamp.TypeSubscribe, m)
	case *wamp.Unsubscribed:
		return s.resolve(m.Request, wamp.TypeUnsubscribe, m)
	case *wamp.Result:
		if progress, _ := m.Details["progress"].(bool); progress {
			return nil // the last result is the answer
		}
		return s.resolve(m.Request, wamp.TypeCall, m)
	case *wamp.Registered:
		return s.resolve(m.Request, wamp.TypeRegister, m)
	case *wamp.Unregistered:
		return s.resolve(m.Request, wamp.TypeUnregister, m)
	case *wamp.Error:
		return s.resolve(m.Request, m.RequestType, m)
	case *wamp.Event:
		select {
		case s.events <- m:
			return nil
		default:
			return ErrSlow
		}
	case *wamp.Invocation:
		return s.invoke(ctx, m)
	case *wamp.Interrupt:
		s.interrupt(m)
		return nil
	case *wamp.Goodbye:
		return s.goodbye(ctx, m)
	case *wamp.Abort:
		return fmt.Errorf("%w: the router aborts it: %s", ErrClosed, shown(m.Reason))
	}
	return &wamp.ProtocolError{Message: m.Type().String(), Reason: "a router does not send it in a session"}
}

// goodbye ends the session, and answers a goodbye that the router began with.
func (s *Session) goodbye(ctx context.Context, m *wamp.Goodbye) error {
	s.mu.Lock()
	answered := s.leaving
	s.mu.Unlock()
	if !answered {
		_, _ = s.write(ctx, &wamp.Goodbye{Reason: reasonGoodbye}) // the session ends in any case
	}
	return fmt.Errorf("%w: goodbye: %s", ErrClosed, shown(m.Reason))
}

package wamp2

import (
	"context"
	"fmt"
	"maps"

	"github.com/outrider-go/outrider/wireformat/wamp"
)

// RequestError is an error of a request, and how far the request got.
type RequestError struct {
	// Begun is false only where nothing of the request was sent.
	Begun bool
	Err   error
}

func (e *RequestError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RequestError) Unwrap() error { return e.Err }

// Publish publishes an event and returns its id once the router has acknowledged
// it. options may be nil. Errors are of type [*RequestError].
func (s *Session) Publish(ctx context.Context, topic string, p wamp.Payload, options wamp.Dict) (wamp.ID, error) {
	m := &wamp.Publish{Options: withOption(options, "acknowledge", true), Topic: topic, Payload: p}
	if !wamp.IsURI(topic) {
		return 0, &RequestError{Err: fmt.Errorf("%w: the topic is not a URI", ErrMessage)}
	}
	encoded, err := encode(ctx, s, wamp.Originator, topic, m)
	if err != nil {
		return 0, &RequestError{Err: err}
	}
	answer, begun, err := s.ask(ctx, wamp.TypePublish, func(id wamp.ID) wamp.Message {
		m := *encoded
		m.Request = id
		return &m
	}, nil)
	if err != nil {
		return 0, &RequestError{begun, err}
	}
	published, ok := answer.(*wamp.Published)
	if !ok {
		return 0, &RequestError{true, ErrLost}
	}
	return published.Publication, nil
}

func withOption(options wamp.Dict, name string, v any) wamp.Dict {
	all := make(wamp.Dict, len(options)+1)
	maps.Copy(all, options)
	all[name] = v
	return all
}

// encode has the session's codec encode the payload of a message.
func encode[M wamp.Carrier](ctx context.Context, s *Session, role wamp.Role, uri string, m M) (M, error) {
	if s.options.Codec == nil {
		return m, nil
	}
	p, _ := m.Carries()
	encoded, err := s.options.Codec.Encode(ctx, role, uri, p)
	if err != nil || encoded == nil {
		return m, err
	}
	other, ok := encoded.Attach(m, s.options.Style).(M)
	if !ok {
		return m, fmt.Errorf("%w: %v does not keep its type", wamp.ErrPayload, m.Type())
	}
	return other, nil
}

// decode returns the payload of a message in clear.
func (s *Session) decode(ctx context.Context, role wamp.Role, uri string, m wamp.Carrier) (wamp.Payload, error) {
	encoded, err := wamp.Encoded(m)
	if err != nil {
		return wamp.Payload{}, err
	}
	if encoded == nil || s.options.Codec == nil {
		p, _ := m.Carries()
		return p, nil
	}
	_, p, err := s.options.Codec.Decode(ctx, role, uri, encoded)
	return p, err
}

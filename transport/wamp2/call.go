package wamp2

import (
	"context"
	"errors"
	"fmt"

	"github.com/outrider-go/outrider/wireformat/wamp"
)

// Call calls a procedure and returns its result. When ctx ends before, the call is
// cancelled. options may be nil. Errors are of type [*RequestError].
func (s *Session) Call(ctx context.Context, procedure string, p wamp.Payload, options wamp.Dict) (wamp.Payload, error) {
	m := &wamp.Call{Options: options, Procedure: procedure, Payload: p}
	if !wamp.IsURI(procedure) {
		return wamp.Payload{}, &RequestError{Err: fmt.Errorf("%w: the procedure is not a URI", ErrMessage)}
	}
	encoded, err := encode(ctx, s, wamp.Originator, procedure, m)
	if err != nil {
		return wamp.Payload{}, &RequestError{Err: err}
	}
	answer, begun, err := s.ask(ctx, wamp.TypeCall, func(id wamp.ID) wamp.Message {
		m := *encoded
		m.Request = id
		return &m
	}, nil)
	if err != nil {
		return wamp.Payload{}, &RequestError{begun, err}
	}
	result, ok := answer.(*wamp.Result)
	if !ok {
		return wamp.Payload{}, &RequestError{true, ErrLost}
	}
	decoded, err := s.decode(ctx, wamp.Originator, procedure, result)
	if err != nil {
		return wamp.Payload{}, &RequestError{true, err}
	}
	return decoded, nil
}

// Invocation is a call as the procedure gets it.
type Invocation struct {
	Procedure string
	Details   wamp.Dict
	Payload   wamp.Payload
}

// Procedure answers invocations, several at one time. ctx ends when the caller
// does not wait any more, and with the session. A [*CallError] is the answer as it is;
// of any other error the caller learns only that there was one.
type Procedure func(ctx context.Context, call Invocation) (wamp.Payload, error)

// Registration is made by [Session.Register].
type Registration struct {
	session   *Session
	id        wamp.ID
	procedure string
	handle    Procedure
}

// Register offers a procedure to the realm. options may be nil; with "match" the
// procedure is a pattern.
func (s *Session) Register(ctx context.Context, procedure string, options wamp.Dict, handle Procedure) (*Registration, error) {
	reg := &Registration{session: s, procedure: procedure, handle: handle}
	_, begun, err := s.ask(ctx, wamp.TypeRegister, func(id wamp.ID) wamp.Message {
		return &wamp.Register{Request: id, Options: options, Procedure: procedure}
	}, func(m wamp.Message) {
		if m, ok := m.(*wamp.Registered); ok {
			s.mu.Lock()
			defer s.mu.Unlock()
			reg.id = m.Registration
			s.procedures[reg.id] = reg
		}
	})
	if err != nil {
		return nil, &RequestError{begun, err}
	}
	return reg, nil
}

// Unregister ends the registration. Invocations under way go on.
func (reg *Registration) Unregister(ctx context.Context) error {
	s := reg.session
	_, begun, err := s.ask(ctx, wamp.TypeUnregister, func(id wamp.ID) wamp.Message {
		return &wamp.Unregister{Request: id, Registration: reg.id}
	}, func(wamp.Message) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.procedures, reg.id)
	})
	if err != nil {
		return &RequestError{begun, err}
	}
	return nil
}

// invoke starts an invocation.
func (s *Session) invoke(ctx context.Context, m *wamp.Invocation) error {
	s.mu.Lock()
	reg, busy := s.procedures[m.Registration], len(s.invocations) >= s.options.MaxInvocations
	_, twice := s.invocations[m.Request]
	if reg == nil || busy || twice {
		s.mu.Unlock()
		uri := errorNoProcedure
		if busy {
			uri = errorUnavailable
		}
		_, err := s.write(ctx, &wamp.Error{RequestType: wamp.TypeInvocation, Request: m.Request, Error: uri})
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	s.invocations[m.Request] = cancel
	s.mu.Unlock()
	s.running.Go(func() {
		defer cancel()
		answer := s.run(ctx, reg, m)
		s.mu.Lock()
		delete(s.invocations, m.Request) // before the caller can call again
		s.mu.Unlock()
		s.send(ctx, m.Request, answer)
	})
	return nil
}

// interrupt ends the context of an invocation.
func (s *Session) interrupt(m *wamp.Interrupt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.invocations[m.Request]; cancel != nil {
		cancel()
	}
}

// run returns the answer to an invocation.
func (s *Session) run(ctx context.Context, reg *Registration, m *wamp.Invocation) wamp.Message {
	call := Invocation{Procedure: reg.procedure, Details: m.Details}
	if procedure, ok := m.Details["procedure"].(string); ok {
		call.Procedure = procedure
	}
	var err error
	if call.Payload, err = s.decode(ctx, wamp.Responder, call.Procedure, m); err != nil {
		return &wamp.Error{RequestType: wamp.TypeInvocation, Request: m.Request, Error: errorPayload}
	}
	return s.yield(ctx, reg, m.Request, call)
}

// send sends the answer, also when the caller has cancelled: the router then drops
// it.
func (s *Session) send(ctx context.Context, request wamp.ID, answer wamp.Message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.WriteTimeout)
	defer cancel()
	if _, err := s.write(ctx, answer); errors.Is(err, ErrMessage) {
		_, _ = s.write(ctx, &wamp.Error{RequestType: wamp.TypeInvocation, Request: request, Error: errorRuntime})
	}
}

// yield returns the answer of a procedure.
func (s *Session) yield(ctx context.Context, reg *Registration, request wamp.ID, call Invocation) wamp.Message {
	p, err := reg.handle(ctx, call)
	if err == nil {
		var encoded *wamp.Yield
		encoded, err = encode(ctx, s, wamp.Responder, call.Procedure, &wamp.Yield{Request: request, Payload: p})
		if err == nil {
			return encoded
		}
	}
	failed := &wamp.Error{RequestType: wamp.TypeInvocation, Request: request, Error: errorRuntime}
	if own, ok := errors.AsType[*CallError](err); ok && wamp.IsURI(own.URI) {
		failed.Error, failed.Payload = own.URI, own.Payload
	}
	return failed
}

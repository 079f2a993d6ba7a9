package memout

import (
	"context"
	"errors"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// name of the transport in errors.
const name = "mem"

var (
	// ErrNotRunning is the cause where the transport was not started or has
	// been stopped.
	ErrNotRunning = errors.New("transport is not running: start it first")

	errScheme = errors.New("the endpoint's scheme is not one of this transport")
)

// notSent is an error after which nothing of m has left.
func notSent(op string, m *outbound.Message, class transport.Class, cause error) error {
	return &outbound.DeliveryError{Op: op, Transport: name, Endpoint: m.Endpoint, Class: class, Err: cause}
}

// answered fills in what an error of Respond does not say.
func answered(m *outbound.Message, err error) error {
	facts := outbound.DeliveryError{Op: "respond", Class: transport.Temporary, MaybeSent: true, Err: err}
	var delivery *outbound.DeliveryError
	switch {
	case errors.As(err, &delivery):
		facts = *delivery
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		facts.Class = transport.Unknown
	}
	if facts.Transport == "" {
		facts.Transport = name
	}
	if facts.Endpoint.IsZero() {
		facts.Endpoint = m.Endpoint
	}
	if facts.Class == "" {
		facts.Class = transport.Temporary
	}
	return &facts
}

// classOf returns the class of an error that this package made.
func classOf(err error) transport.Class {
	if delivery, ok := errors.AsType[*outbound.DeliveryError](err); ok {
		return delivery.Class
	}
	return transport.Temporary
}

package wamp2

import (
	"errors"
	"fmt"

	"github.com/outrider-go/outrider/wireformat/wamp"
)

var (
	// ErrClosed means that the session has ended, and nothing was sent.
	ErrClosed = errors.New("WAMP session has ended")
	// ErrLost means that the answer to a request did not come. The request may have been acted on.
	ErrLost = errors.New("no answer from the WAMP router")
	// ErrSlow means that the session ended since its event handlers fell behind.
	ErrSlow = errors.New("WAMP event handlers are too slow")
	// ErrAuth means that the router wants to be convinced in a way that was not offered, or
	// that is not sound.
	ErrAuth = errors.New("WAMP authentication")
	// ErrMessage means that a request cannot be serialized, or is too long. Nothing was sent.
	ErrMessage = errors.New("WAMP request")
)

// HandshakeError says why the WebSocket connection did not come up.
type HandshakeError struct {
	Status int // of HTTP, 0 where there was none
	Err    error
}

func (e *HandshakeError) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("websocket handshake: status %d: %v", e.Status, e.Err)
	}
	return fmt.Sprintf("websocket handshake: %v", e.Err)
}

// Unwrap returns the cause.
func (e *HandshakeError) Unwrap() error { return e.Err }

// JoinError says that the router does not let the session join.
type JoinError struct {
	Reason string // URI, as "wamp.error.no_such_realm"
}

func (e *JoinError) Error() string { return "the router refuses to join: " + e.Reason }

// RefusedError is the answer ERROR to a request.
type RefusedError struct {
	Request wamp.Type // what was asked for
	URI     string    // as "wamp.error.not_authorized"
	Payload wamp.Payload
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%v: %s", e.Request, e.URI) }

// CallError is what a procedure returns to answer with an error of its own.
type CallError struct {
	URI     string // as "com.example.error.no_such_order"
	Payload wamp.Payload
}

func (e *CallError) Error() string { return e.URI }

// URIs of errors and reasons that are sent, or told apart.
const (
	reasonCloseRealm  = "wamp.close.close_realm"
	reasonGoodbye     = "wamp.close.goodbye_and_out"
	reasonProtocol    = "wamp.error.protocol_violation"
	errorRuntime      = "wamp.error.runtime_error"
	errorNoProcedure  = "wamp.error.no_such_procedure"
	errorUnavailable  = "wamp.error.unavailable"
	errorPayload      = "wamp.error.payload_undecodable"
	errorUnknown      = "wamp.error.unknown"
	longestShownError = 128
)

// shown is a URI of an error as it may stand in a text: one that could hold more
// than a name is left out.
func shown(uri string) string {
	if len(uri) > longestShownError {
		return errorUnknown
	}
	for i := range len(uri) {
		switch c := uri[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return errorUnknown
		}
	}
	return uri
}

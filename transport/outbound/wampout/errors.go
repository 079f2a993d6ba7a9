package wampout

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/wamp2"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// name is what errors call the transport.
const name = "wamp"

// Codes of errors beside WAMP's own and those of package egress.
const (
	codeStopped    = "stopped"
	codeBadMessage = "bad_message"
	codeTimeout    = "timeout"
	codeCanceled   = "canceled"
	codeLost       = "lost"
	codeBusy       = "busy"
	codeAuth       = "auth"
	codeHandshake  = "handshake"
)

var (
	// ErrStopped is the cause when a transport is used before Start or after Stop.
	ErrStopped = errors.New("transport is not running")
	errBusy    = errors.New("there are as many sessions as the transport may have")
)

// fault returns an error of an attempt for m.
func fault(m *outbound.Message, op string, class transport.Class, code string, begun bool, err error) *outbound.DeliveryError {
	return &outbound.DeliveryError{Op: op, Transport: name, Endpoint: m.Endpoint, Class: class, Code: code, MaybeSent: begun, Err: err}
}

// joinFault is the error for an attempt that got no session. Nothing was sent, and
// an operator may mend each of these, but for what the egress policy refuses.
func joinFault(m *outbound.Message, err error) *outbound.DeliveryError {
	if dial, ok := errors.AsType[*egress.DialError](err); ok {
		class, code := egress.Classify(dial)
		return fault(m, "dial", class, code, false, dial)
	}
	code := joinCode(err)
	return fault(m, "join", transport.Temporary, code, false, explain(code, err))
}

func joinCode(err error) string {
	if refused, ok := errors.AsType[*wamp2.JoinError](err); ok {
		return refused.Reason
	}
	if code := contextCode(err); code != "" {
		return code
	}
	if handshake, ok := errors.AsType[*wamp2.HandshakeError](err); ok {
		if handshake.Status != 0 {
			return codeHandshake + "_" + strconv.Itoa(handshake.Status)
		}
		return codeHandshake
	}
	switch {
	case errors.Is(err, wamp2.ErrAuth):
		return codeAuth
	case errors.Is(err, errBusy):
		return codeBusy
	case errors.Is(err, ErrStopped):
		return codeStopped
	}
	return codeLost
}

func contextCode(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return codeTimeout
	case errors.Is(err, context.Canceled):
		return codeCanceled
	}
	return ""
}

// requestFault is the error for a publication or a call that failed.
func requestFault(m *outbound.Message, op string, err error) *outbound.DeliveryError {
	begun := true
	if failure, ok := errors.AsType[*wamp2.RequestError](err); ok {
		begun = failure.Begun
	}
	if refused, ok := errors.AsType[*wamp2.RefusedError](err); ok {
		return fault(m, op, classOf(refused.URI), refused.URI, true, explain(refused.URI, refused))
	}
	switch code := contextCode(err); {
	case errors.Is(err, wamp2.ErrMessage), errors.Is(err, wamp.ErrPayload) && !begun:
		return fault(m, op, transport.Permanent, codeBadMessage, false, err)
	case !begun && code != "":
		return fault(m, op, transport.Temporary, code, false, err)
	case !begun:
		return fault(m, op, transport.Temporary, codeLost, false, err)
	case code != "":
		return fault(m, op, transport.Unknown, code, true, err)
	}
	return fault(m, op, transport.Unknown, codeLost, true, err)
}

// classOf says what an error URI means for the message. The router's refusals of
// this very request are for good. All else may pass: a procedure may be registered
// later, and of an application's own errors nobody knows.
func classOf(uri string) transport.Class {
	switch strings.TrimPrefix(uri, "wamp.error.") {
	case "not_authorized", "invalid_uri", "invalid_argument", "option_not_allowed", "option_disallowed.disclose_me",
		"invalid_payload", "payload_size_exceeded", "protocol_violation", "feature_not_supported":
		return transport.Permanent
	}
	return transport.Temporary
}

// explainedError is an error in other words: its own repeat the code.
type explainedError struct {
	text string
	err  error
}

func (e *explainedError) Error() string { return e.text }
func (e *explainedError) Unwrap() error { return e.err }

// explain says what an error URI means, and what to do.
func explain(code string, err error) error {
	if !strings.Contains(err.Error(), code) {
		return err
	}
	text := "the router or the procedure refuses it"
	switch strings.TrimPrefix(code, "wamp.error.") {
	case "no_such_realm":
		text = "the router has no such realm: it is the last but one part of the endpoint's path"
	case "authentication_failed", "no_auth_method", "no_matching_auth_method":
		text = "the router does not accept who joins: check the authid, the secret and " + SettingAuthMethod
	case "not_authorized":
		text = "the router does not allow it to who has joined"
	case "no_such_procedure":
		text = "nobody has registered the procedure"
	}
	return &explainedError{text, err}
}

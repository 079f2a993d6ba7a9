package wsout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/outbound"
)

// Codes of errors without a status or a close code, beside those of package
// egress.
const (
	codeTimeout          = "timeout"
	codeCanceled         = "canceled"
	codeConnectionReset  = "connection_reset"
	codeConnectionClosed = "connection_closed"
	codeWriteTimeout     = "write_timeout"
	codePongTimeout      = "pong_timeout"
	codeProtocolError    = "protocol_error"
	codeInboundTooLong   = "inbound_too_long"
	codeInboundStuck     = "inbound_stuck"
	codeBadHandshake     = "bad_handshake"
	codeBadMessage       = "bad_message"
	codeBadProfile       = "bad_profile"
	codeNoAck            = "no_ack"
	codeStopped          = "stopped"
	codeTooManyConns     = "too_many_connections"
)

// Codes of receipts.
const (
	codePong  = "pong"
	codeReply = "reply"
)

// name is what errors call the transport.
const name = "ws"

// ErrStopped is the cause when a transport is used before Start or after Stop.
var ErrStopped = errors.New("transport is not running")

// Why this side ends a connection.
var (
	errSilent      = errors.New("the peer is silent: it answers no ping")
	errTooLong     = errors.New("the peer's message is too long")
	errNotUTF8     = errors.New("the peer's text is not UTF-8")
	errStuck       = errors.New("the peer's messages are not handled in time")
	errPeerGone    = fmt.Errorf("the peer had closed the connection before it could read the message: %w", io.EOF)
	errClosedByUs  = errors.New("the connection has been closed by this side")
	errUnanswered  = errors.New("the peer did not answer the close")
	errNoSubproto  = errors.New("the peer chose a sub-protocol that was not offered")
	errNotUpgraded = errors.New("the peer's answer is no WebSocket handshake (RFC 6455 section 4.2.2)")
)

// refusal is the error of an attempt of which nothing was sent.
func refusal(op string, class transport.Class, code string, err error) *outbound.DeliveryError {
	return &outbound.DeliveryError{Op: op, Transport: name, Class: class, Code: code, Err: err}
}

// stoppedFault is what becomes of a message when the transport stops.
func stoppedFault() *outbound.DeliveryError {
	return refusal("send", transport.Temporary, codeStopped, ErrStopped)
}

// expired is the error of an attempt whose context ended. sent: the message may
// have been written.
func expired(ctx context.Context, sent bool) *outbound.DeliveryError {
	fault := &outbound.DeliveryError{Op: "send", Transport: name, Class: transport.Temporary, MaybeSent: sent, Code: codeCanceled, Err: context.Canceled}
	waited := "before the message could be written"
	if sent {
		fault.Class = transport.Unknown
		waited = "without an acknowledgement"
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		fault.Code, fault.Err = codeTimeout, fmt.Errorf("the attempt's time ended %s: %w", waited, context.DeadlineExceeded)
	}
	return fault
}

// ending is how a connection ended.
type ending struct {
	meaning
	code string // the peer's close code, or one of the codes above
	err  error  // without anything that the peer sent
	say  int    // the close code to tell the peer; 0: nothing
	// clean: no message is known to have gone wrong.
	clean bool
	ours  bool // this side wanted it
}

// lost is the end of a connection that says nothing about its messages.
func lost(code string, err error) ending {
	return ending{meaning: meaning{class: transport.Unknown, again: true}, code: code, err: err}
}

// endingOf says how a connection ended, by the error of a read or a write.
func endingOf(err error, own codeClasses) ending {
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok && closed.Code != websocket.CloseAbnormalClosure {
		return closedByPeer(closed.Code, own)
	}
	switch {
	case errors.Is(err, errTooLong), errors.Is(err, websocket.ErrReadLimit):
		e := lost(codeInboundTooLong, errTooLong)
		e.say = websocket.CloseMessageTooBig
		return e
	case errors.Is(err, errNotUTF8):
		e := lost(codeProtocolError, errNotUTF8)
		e.say = websocket.CloseInvalidFramePayloadData
		return e
	case errors.Is(err, errStuck):
		e := lost(codeInboundStuck, errStuck)
		e.say = websocket.CloseTryAgainLater
		return e
	case errors.Is(err, errSilent):
		return lost(codePongTimeout, errSilent)
	case errors.Is(err, errPeerGone):
		return lost(codeConnectionClosed, errPeerGone)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return lost(codeWriteTimeout, errors.New("the peer did not read in time"))
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return lost(codeConnectionReset, syscall.ECONNRESET)
	case errors.Is(err, net.ErrClosed):
		return lost(codeConnectionClosed, errClosedByUs)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), websocket.IsCloseError(err, websocket.CloseAbnormalClosure):
		return lost(codeConnectionClosed, errors.New("the peer closed the connection without a close frame"))
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return lost(codeWriteTimeout, errors.New("the peer did not read in time"))
	}
	e := lost(codeProtocolError, errors.New("the peer broke the protocol (RFC 6455)"))
	e.say = websocket.CloseProtocolError
	return e
}

// closedByPeer is the end by a close frame. Its reason is left out: a peer may
// repeat what it was sent.
func closedByPeer(code int, own codeClasses) ending {
	e := ending{meaning: meaningOf(code, own), code: strconv.Itoa(code), say: code}
	e.err = errors.New("the peer closed the connection" + closeText(code))
	e.clean = code == websocket.CloseNormalClosure || code == websocket.CloseGoingAway || code == websocket.CloseNoStatusReceived
	if code == websocket.CloseNoStatusReceived {
		e.code, e.say = codeConnectionClosed, websocket.CloseNormalClosure
	}
	return e
}

// closeText is the registered meaning of a close code, in words.
func closeText(code int) string {
	switch code {
	case websocket.CloseNormalClosure:
		return " (normal closure)"
	case websocket.CloseGoingAway:
		return " (going away)"
	case websocket.CloseProtocolError:
		return " (protocol error)"
	case websocket.CloseUnsupportedData:
		return " (unsupported data)"
	case websocket.CloseInvalidFramePayloadData:
		return " (invalid payload data)"
	case websocket.ClosePolicyViolation:
		return " (policy violation)"
	case websocket.CloseMessageTooBig:
		return " (message too big)"
	case websocket.CloseMandatoryExtension:
		return " (mandatory extension missing)"
	case websocket.CloseInternalServerErr:
		return " (internal error)"
	case websocket.CloseServiceRestart:
		return " (service restart)"
	case websocket.CloseTryAgainLater:
		return " (try again later)"
	}
	return ""
}

// fault is the error of a message that was written on a connection that ended so.
// blamed: it is about this message.
func (e *ending) fault(blamed bool) *outbound.DeliveryError {
	class := e.class
	if class == transport.Permanent && !blamed {
		class = transport.Unknown
	}
	return &outbound.DeliveryError{Op: "send", Transport: name, Class: class, MaybeSent: true, Code: e.code, Err: e.err}
}

// dialFault is the error of a connection that did not come up.
func dialFault(err error) *outbound.DeliveryError {
	class, code := egress.Classify(err)
	return refusal("dial", class, code, err)
}

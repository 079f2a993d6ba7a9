package amqp1

import (
	"errors"
	"fmt"
	"strings"
)

// Kinds of error, for errors.Is.
var (
	// ErrClosed: the container was closed.
	ErrClosed = errors.New("the container is closed")
	// ErrProtocol: the peer does not speak AMQP 1.0.
	ErrProtocol = errors.New("the peer does not speak AMQP 1.0")
	// ErrSASL: the peer did not let us in, or offers nothing that we may use.
	ErrSASL = errors.New("authentication failed")
	// ErrRefused: the peer refused the link, or its node is not there.
	ErrRefused = errors.New("the peer refused the link")
	// ErrNoCredit: the peer gave no credit in time. Nothing was sent.
	ErrNoCredit = errors.New("the peer gives no credit")
	// ErrMessage: the message cannot be sent to this node, now or later.
	ErrMessage = errors.New("the message cannot be sent")
	// ErrUnreachable: no connection came up. Nothing was sent.
	ErrUnreachable = errors.New("the peer cannot be reached")
	// ErrLost: the link, its session or the connection ended. What was in flight
	// may have arrived.
	ErrLost = errors.New("the link was lost")
	// ErrStalled: the peer took nothing, or settled nothing, for too long.
	ErrStalled = errors.New("the peer stands still")
	// ErrPeerFault: the connection has ended each time while the message was alone in
	// flight: the peer cannot take it.
	ErrPeerFault = errors.New("the peer fails on the message")
	// ErrBackoff: the peer could not be reached a moment ago, and is left alone.
	ErrBackoff = errors.New("not tried again yet")
)

// Error says what failed and what the peer said.
type Error struct {
	// Op is what failed: "dial", "sasl", "open", "begin", "attach", "send", "settle",
	// "receive".
	Op string
	// Kind is one of the errors above.
	Kind error
	// Condition and Description are the peer's, empty where it said nothing. The
	// description may hold anything: it is not part of the text.
	Condition   Condition
	Description string
	// MaybeSent is false only where nothing of the message left.
	MaybeSent bool
	// Err is the cause, where there is one besides the kind.
	Err error

	elsewhere *redirect // where the peer sends us
}

// Error returns what failed, without what the peer described.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op + ": ")
	b.WriteString(e.Kind.Error())
	if e.Condition != "" {
		b.WriteString(": " + string(e.Condition))
	}
	if e.Err != nil && !errors.Is(e.Kind, e.Err) {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// SASLCode is the outcome of SASL (part 5, section 5.3.3.6).
type SASLCode uint8

// The outcomes of SASL.
const (
	SASLOk      SASLCode = iota // let in
	SASLAuth                    // the credentials are wrong
	SASLSys                     // the peer has a problem
	SASLSysPerm                 // the peer has a problem that will stay
	SASLSysTemp                 // the peer has a problem that will pass
)

// SASLError says how SASL failed.
type SASLError struct {
	// Mechanism that was tried; empty where none could be.
	Mechanism string
	// Code is the outcome, SASLOk where it did not come to one.
	Code SASLCode
	// Offered are the peer's mechanisms, where none could be used.
	Offered []string
	// Reason is what went wrong, in words of this package.
	Reason string
}

func (e *SASLError) Error() string {
	switch {
	case len(e.Offered) > 0:
		return fmt.Sprintf("%s (the peer offers %s)", e.Reason, strings.Join(e.Offered, ", "))
	case e.Code != SASLOk:
		return fmt.Sprintf("%s: outcome %d: %s", e.Mechanism, e.Code, e.Reason)
	case e.Mechanism != "":
		return e.Mechanism + ": " + e.Reason
	}
	return e.Reason
}

// Permanent reports that the same credentials will not do later either.
func (e *SASLError) Permanent() bool {
	return e.Code == SASLAuth || e.Code == SASLSysPerm || len(e.Offered) > 0
}

// Unwrap returns ErrSASL.
func (e *SASLError) Unwrap() error { return ErrSASL }

// ProtocolError says what the peer speaks in place of AMQP 1.0.
type ProtocolError struct {
	Speaks string // "AMQP 0-9-1", "HTTP", "TLS", or something
}

func (e *ProtocolError) Error() string { return "the peer speaks " + e.Speaks + ", not AMQP 1.0" }

// Unwrap returns ErrProtocol.
func (e *ProtocolError) Unwrap() error { return ErrProtocol }

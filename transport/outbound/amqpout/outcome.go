package amqpout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/outbound"
)

// Codes of errors without a condition, beside those of package egress.
const (
	codeTimeout    = "timeout"
	codeCanceled   = "canceled"
	codeRefused    = "refused"
	codeNoCredit   = "no_credit"
	codeLost       = "lost"
	codeStalled    = "stalled"
	codeSASL       = "sasl"
	codeProtocol   = "protocol"
	codeMessage    = "message"
	codePeerFault  = "peer_fault"
	codeUnroutable = "unroutable"
	codeStopped    = "stopped"
	codeBadMessage = "bad_message"
)

// ErrStopped is the cause when a transport is used before Start or after Stop.
var ErrStopped = errors.New("transport is not running")

// passing are conditions of a rejection after which the same message may be taken.
// Any other is about the message.
var passing = []amqp1.Condition{
	amqp1.ResourceLimitExceeded, amqp1.ResourceLocked, amqp1.InternalError, amqp1.IllegalState, amqp1.DetachForced,
	amqp1.ConnectionForced, amqp1.FramingError, amqp1.Stolen, amqp1.TransferLimitExceeded,
	"com.microsoft:server-busy", "com.microsoft:timeout",
}

// keepDescription is how much of a peer's description is kept with the attempt.
const keepDescription = 1 << 10

// conclude says what an outcome means.
func (t *Transport) conclude(r *route, m *outbound.Message, o amqp1.Outcome) (outbound.Receipt, *outbound.DeliveryError) {
	releases := t.history.note(m.ID, o)
	switch o.State {
	case amqp1.Accepted:
		return outbound.Receipt{Evidence: transport.Accepted, Code: o.State.String()}, nil
	case amqp1.Written:
		return outbound.Receipt{Evidence: transport.Written, Code: "settled"}, nil
	default:
		return outbound.Receipt{}, t.outcomeFault(r, m, o, releases)
	}
}

// outcomeFault is the error for an outcome that is no success.
func (t *Transport) outcomeFault(r *route, m *outbound.Message, o amqp1.Outcome, releases int) *outbound.DeliveryError {
	fault := &outbound.DeliveryError{
		Op: "send", Transport: name, Endpoint: m.Endpoint, Class: transport.Temporary, MaybeSent: true,
		Code: o.State.String(), Response: t.description(r, m, o.Description),
	}
	if code := conditionCode(o.Condition); code != "" {
		fault.Code = code
	}
	switch o.State {
	case amqp1.Rejected:
		if !slices.Contains(passing, o.Condition) {
			fault.Class = transport.Permanent
		}
		fault.Err = errors.New("the peer rejected the message")
	case amqp1.Released:
		fault.Err = errors.New("the peer released the message")
		if most := t.options.MaxReleases; most >= 0 && releases >= most {
			fault.Class, fault.Code = transport.Permanent, codeUnroutable
			fault.Err = errors.New("the peer released the message again and again: nothing takes it there")
		}
	case amqp1.Modified:
		fault.Err = errors.New("the peer modified the message and gave it back")
		if o.UndeliverableHere {
			fault.Class = transport.Permanent
			fault.Err = errors.New("the peer says that the message is not for this node")
		}
	default: // received, unstated
		fault.Class = transport.Unknown
		fault.Err = errors.New("the peer settled the message without saying how")
	}
	return fault
}

// sendFault says what an error of package amqp1 means.
func (t *Transport) sendFault(r *route, m *outbound.Message, err error, now time.Time) *outbound.DeliveryError {
	fault := &outbound.DeliveryError{Op: "send", Transport: name, Endpoint: m.Endpoint, Class: transport.Temporary, Err: err}
	cause, ok := errors.AsType[*amqp1.Error](err)
	if !ok {
		fault.Code, fault.MaybeSent = codeLost, true
		return fault
	}
	fault.Op, fault.MaybeSent = cause.Op, cause.MaybeSent
	fault.Response = t.description(r, m, cause.Description)
	fault.Class, fault.Code = t.classify(m, cause, now)
	if code := conditionCode(cause.Condition); code != "" && fault.Code != codePeerFault {
		fault.Code = code
	}
	if fault.Code == codeNoCredit && fault.Class == transport.Throttled {
		fault.RetryAfter, fault.Uncounted = t.options.CreditPause, !cause.MaybeSent
	}
	return fault
}

func (t *Transport) classify(m *outbound.Message, cause *amqp1.Error, now time.Time) (transport.Class, string) {
	class := transport.Temporary
	if cause.MaybeSent {
		class = transport.Unknown
	}
	switch {
	case errors.Is(cause, amqp1.ErrPeerFault):
		return transport.Permanent, codePeerFault
	case errors.Is(cause, context.DeadlineExceeded) && cause.Op != "dial":
		return class, codeTimeout
	case errors.Is(cause, context.Canceled):
		return class, codeCanceled
	case errors.Is(cause, amqp1.ErrMessage):
		return transport.Permanent, codeMessage
	case errors.Is(cause, amqp1.ErrNoCredit):
		return transport.Throttled, codeNoCredit
	case errors.Is(cause, amqp1.ErrClosed):
		return class, codeStopped
	case errors.Is(cause, amqp1.ErrSASL):
		fault, ok := errors.AsType[*amqp1.SASLError](cause)
		return t.refusal(m, ok && fault.Permanent(), now), codeSASL
	case errors.Is(cause, amqp1.ErrProtocol):
		return t.refusal(m, true, now), codeProtocol
	case errors.Is(cause, amqp1.ErrRefused):
		return t.refusal(m, cause.Condition.Bearing() != amqp1.Passing, now), codeRefused
	case errors.Is(cause, amqp1.ErrStalled):
		return class, codeStalled
	case errors.Is(cause, amqp1.ErrUnreachable), errors.Is(cause, amqp1.ErrBackoff):
		return egress.Classify(cause)
	}
	return class, codeLost
}

// refusal is what a refusal of the link, or of our credentials, means: that will not
// pass by itself, but for a while somebody may be about to mend it.
func (t *Transport) refusal(m *outbound.Message, lasting bool, now time.Time) transport.Class {
	if lasting && now.Sub(m.QueuedAt) >= t.options.RefusedGrace {
		return transport.Permanent
	}
	return transport.Temporary
}

// conditionCode is a condition as a code, empty where it is none or does not look
// like one: a peer may send anything.
func conditionCode(c amqp1.Condition) string {
	text := string(c)
	strange := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != ':' && r != '-' && r != '.' && r != '_'
	}
	if len(text) > 64 || !strings.Contains(text, ":") || strings.ContainsFunc(text, strange) {
		return ""
	}
	return text
}

// description is the start of what the peer described, without what it was sent.
func (t *Transport) description(r *route, m *outbound.Message, said string) []byte {
	if said == "" {
		return nil
	}
	text := transport.Mask([]byte(said), secretsOf(r, m))
	return text[:min(len(text), keepDescription)]
}

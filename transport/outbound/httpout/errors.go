package httpout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/httprules"
	"github.com/outrider-go/outrider/transport/outbound"
)

// Codes of errors without a status, beside those of package egress.
const (
	codeTimeout          = "timeout"
	codeCanceled         = "canceled"
	codeConnectionReset  = "connection_reset"
	codeConnectionClosed = "connection_closed"
	codeClientRefused    = "tls_client_refused"
	codeBadResponse      = "bad_response"
	codeBadMessage       = "bad_message"
	codeStopped          = "stopped"
)

// SettingPermanent4xx is the profile's setting that makes 501, 505 and the 4xx
// statuses that are not known to be temporary permanent. Default: false.
const SettingPermanent4xx = "http.permanent_4xx"

// SettingNames lists the settings of a profile that this transport reads.
func SettingNames() []string { return []string{SettingPermanent4xx} }

// ErrStopped is the cause when a transport is used before Start or after Stop.
var ErrStopped = errors.New("transport is not running")

// statusFault is the error for an answer other than 2xx.
func statusFault(m *outbound.Message, p *profile.Profile, resp *http.Response, now time.Time) *outbound.DeliveryError {
	strict, err := p.Settings().Bool(SettingPermanent4xx, false)
	if err != nil {
		strict = false // CheckMessage tells of it
	}
	fault := &outbound.DeliveryError{
		Op: "post", Transport: name, Endpoint: m.Endpoint, MaybeSent: true,
		Class: httprules.ClassOf(resp.StatusCode, strict),
		Code:  codeOf(resp),
		Gone:  resp.StatusCode == http.StatusGone,
		Err:   errors.New(httprules.StatusText(resp.StatusCode)),
	}
	wait, throttled := httprules.RetryAfter(resp, now)
	fault.RetryAfter = wait
	if throttled {
		fault.Class = transport.Throttled
	}
	return fault
}

// codeOf is the status in digits. Over HTTP/2 it may be any number.
func codeOf(resp *http.Response) string { return strconv.Itoa(resp.StatusCode) }

// wireFault is the error for a request without an answer.
func wireFault(ctx context.Context, m *outbound.Message, c *call, err error) *outbound.DeliveryError {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // its own text has the URL
	}
	fault := &outbound.DeliveryError{Op: "post", Transport: name, Endpoint: m.Endpoint}
	if dial, ok := errors.AsType[*egress.DialError](err); ok {
		fault.Op, fault.Err = "dial", dial
		fault.Class, fault.Code = egress.Classify(dial)
		if errors.Is(err, ErrStopped) {
			fault.Code = codeStopped
		}
		return fault
	}
	if proxy, ok := errors.AsType[*egress.ProxyError](err); ok {
		fault.Op, fault.Err = "dial", proxy
		fault.Class, fault.Code = egress.Classify(proxy)
		return fault
	}
	fault.MaybeSent = c.begun.Load()
	fault.Class = transport.Temporary
	if fault.MaybeSent {
		fault.Class = transport.Unknown
	}
	fault.Code, fault.Err = describe(ctx, err)
	if fault.Code == codeClientRefused {
		fault.Class = transport.Temporary // the receiver's application saw nothing
	}
	return fault
}

// describe gives an error of net/http a code, and a text without anything that
// the receiver sent: it could be the API key.
func describe(ctx context.Context, err error) (code string, cause error) {
	var timeout net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return codeTimeout, fmt.Errorf("no answer within the attempt's time: %w", context.DeadlineExceeded)
	case errors.Is(err, context.Canceled):
		return codeCanceled, context.Canceled
	case errors.As(err, &timeout) && timeout.Timeout():
		return codeTimeout, errors.New("no answer in time")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return codeConnectionReset, fmt.Errorf("before an answer: %w", syscall.ECONNRESET)
	case isClientRefused(err):
		return codeClientRefused, errors.New("the receiver refused the client certificate, or wants one: check the profile's tls")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), mentions(err, "server closed idle connection"):
		return codeConnectionClosed, errors.New("the connection was closed before an answer")
	case mentions(err, "response headers exceeded"):
		return codeBadResponse, errors.New("the answer's header is too long")
	}
	if _, code := egress.Classify(err); code != egress.CodeDialFailed {
		return code, err // TLS through a proxy
	}
	return codeBadResponse, errors.New("the answer is not valid HTTP, or was cut short")
}

// isClientRefused reports the alert with which TLS 1.3 refuses a client's
// certificate, which comes after the handshake, in place of an answer.
func isClientRefused(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" && op.Err != nil &&
		(mentions(op.Err, "certificate") || mentions(op.Err, "access denied"))
}

// mentions recognises errors that net/http and crypto/tls do not export.
func mentions(err error, text string) bool { return strings.Contains(err.Error(), text) }

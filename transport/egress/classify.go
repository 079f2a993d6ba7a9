package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/outrider-go/outrider/transport"
)

// DialError says why a connection did not come up. Nothing of a message was sent.
type DialError struct {
	Address string // host and port that were dialled
	Phase   string // PhaseDNS, PhaseConnect or PhaseTLS
	Err     error
}

// Error returns the address and the cause.
func (e *DialError) Error() string {
	return "dial " + e.Address + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// newDialError takes net's own error apart: it repeats the address.
func newDialError(addr string, err error) *DialError {
	phase := PhaseConnect
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		phase = PhaseDNS
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		err = op.Err
	}
	return &DialError{Address: addr, Phase: phase, Err: err}
}

// Codes of [Classify] that callers tell from the others.
const (
	CodeBlocked    = "blocked"     // refused by the policy
	CodeProxy      = "proxy"       // refused by the profile's proxy
	CodeDialFailed = "dial_failed" // none of the other codes
)

const (
	codeDNSNotFound        = "dns_not_found"
	codeDNSTimeout         = "dns_timeout"
	codeDNSTemporary       = "dns_temporary"
	codeConnectionRefused  = "connection_refused"
	codeConnectionReset    = "connection_reset"
	codeNetworkUnreachable = "network_unreachable"
	codeDialTimeout        = "dial_timeout"
	codeDialCanceled       = "dial_canceled"
	codeTLSCertificate     = "tls_certificate"
	codeTLSFile            = "tls_file"
	codeTLSHandshake       = "tls_handshake"
	codeTLSTimeout         = "tls_timeout"
)

// Classify says what an error of a [Dialer] means for the message, and gives it
// a short code. What the policy refuses is permanent; all else is temporary,
// names that do not exist and certificates that do not fit included, since
// operators mend those.
//
// The codes are blocked; proxy; dns_not_found, dns_timeout, dns_temporary;
// connection_refused, connection_reset, network_unreachable, dial_timeout,
// dial_canceled; tls_certificate (the peer's does not fit), tls_file (one of the
// profile's is unreadable), tls_handshake, tls_timeout; and dial_failed.
func Classify(err error) (transport.Class, string) {
	if errors.Is(err, ErrBlocked) {
		return transport.Permanent, CodeBlocked
	}
	return transport.Temporary, code(err)
}

func code(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dnsCode(dns)
	}
	if isCertificate(err) {
		return codeTLSCertificate
	}
	if _, ok := errors.AsType[*ProxyError](err); ok {
		return CodeProxy
	}
	dial, _ := errors.AsType[*DialError](err)
	inTLS := dial != nil && dial.Phase == PhaseTLS
	switch {
	case errors.Is(err, ErrTLSFile):
		return codeTLSFile
	case errors.Is(err, context.Canceled):
		return codeDialCanceled
	case isTimeout(err) && inTLS:
		return codeTLSTimeout
	case isTimeout(err):
		return codeDialTimeout
	case inTLS || isTLS(err):
		return codeTLSHandshake
	case errors.Is(err, syscall.ECONNREFUSED):
		return codeConnectionRefused
	case errors.Is(err, syscall.ECONNRESET):
		return codeConnectionReset
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return codeNetworkUnreachable
	}
	return CodeDialFailed
}

func dnsCode(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return codeDNSNotFound
	case err.IsTimeout:
		return codeDNSTimeout
	}
	return codeDNSTemporary
}

// isCertificate reports that this side did not accept the peer's certificate.
func isCertificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// isTLS reports TLS errors that come without a phase: those of a connection that
// goes through a proxy.
func isTLS(err error) bool {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "remote error" || op.Op == "local error")
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
}

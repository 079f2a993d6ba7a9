package wsout

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/httprules"
	"github.com/outrider-go/outrider/transport/outbound"
)

const (
	// maxAnswerBytes bounds the peer's answer to the handshake.
	maxAnswerBytes = 64 << 10
	// frameBytes is the longest frame that is written; longer messages are
	// fragmented. A connection has no buffer for it while it writes nothing.
	frameBytes = 64 << 10
	readBytes  = 4 << 10
)

// errSubprotocol is the fault of metadata with sub-protocols.
var errSubprotocol = errors.New("sub-protocols belong to the profile: set its " + SettingSubprotocols)

// handshake is what a connection begins with.
type handshake struct {
	endpoint transport.Endpoint
	uri      transport.Secret // without user information and API key
	header   http.Header      // not to be changed
}

// newHandshake returns the handshake for a message, with its id where the
// connection will be its own.
func newHandshake(m *outbound.Message, own bool) (*handshake, *outbound.FieldError) {
	header, fault := newHeader(m.Endpoint, m.Metadata)
	if fault != nil {
		return nil, fault
	}
	if own {
		header[messageIDHeader] = []string{m.ID.String()}
	}
	if header["User-Agent"] == nil {
		header["User-Agent"] = []string{"outrider"}
	}
	u := m.Endpoint.URL()
	u.User = nil // in the header; gorilla refuses it
	return &handshake{endpoint: m.Endpoint, uri: transport.NewSecret(u.String()), header: header}, nil
}

// host is what the bound on connections to one host counts by.
func (h *handshake) host() string { return h.endpoint.Address() }

// connect makes a connection. Cancelling ctx ends it at once; o.HandshakeTimeout
// bounds it.
func (h *handshake) connect(ctx context.Context, t *tenant, o *Options, b *buffers) (*websocket.Conn, *wire, *outbound.DeliveryError) {
	var w *wire
	unhook := func() bool { return true }
	keep := func(conn net.Conn, err error) (net.Conn, error) {
		if err != nil {
			return nil, err
		}
		w = newWire(conn, o.WriteTimeout, b)
		w.limit(maxAnswerBytes)
		unhook = context.AfterFunc(ctx, func() { _ = conn.Close() }) // gorilla minds deadlines only
		return w, nil
	}
	dialer := websocket.Dialer{
		Proxy: nil, // never from the environment; dial knows the profile's
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return keep(t.dialer.Connect(ctx, network, addr))
		},
		NetDialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return keep(t.dialer.ConnectTLS(ctx, network, addr, "http/1.1"))
		},
		HandshakeTimeout: o.HandshakeTimeout,
		ReadBufferSize:   readBytes, WriteBufferSize: frameBytes, WriteBufferPool: &b.frames,
		Subprotocols:      t.subprotocols,
		EnableCompression: o.Compression,
	}
	ws, resp, err := dialer.DialContext(ctx, h.uri.Reveal(), h.header) //nolint:bodyclose // gorilla has read what there is
	unhook()
	if err != nil {
		return nil, nil, handshakeFault(t, resp, err)
	}
	if chosen := ws.Subprotocol(); chosen != "" && !slices.Contains(t.subprotocols, chosen) {
		_ = ws.Close() // RFC 6455 section 4.1: the connection fails
		return nil, nil, refusal("handshake", transport.Temporary, codeBadHandshake, errNoSubproto)
	}
	w.limited = false
	w.collect()
	return ws, w, nil
}

// handshakeFault is the error for a handshake that failed. No text of it is the
// peer's.
func handshakeFault(t *tenant, resp *http.Response, err error) *outbound.DeliveryError {
	if dialing, ok := errors.AsType[*egress.DialError](err); ok {
		return dialFault(dialing)
	}
	if resp != nil && errors.Is(err, websocket.ErrBadHandshake) && resp.StatusCode != http.StatusSwitchingProtocols {
		return statusFault(t, resp, time.Now())
	}
	code := codeBadHandshake
	cause := errNotUpgraded
	timeout := net.Error(nil)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		code, cause = codeTimeout, errors.New("the peer did not answer the handshake in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		code, cause = codeConnectionClosed, errors.New("the peer closed the connection during the handshake")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		code, cause = codeConnectionReset, errors.New("the peer reset the connection during the handshake")
	case errors.Is(err, errTooLong):
		cause = errors.New("the peer's answer to the handshake is too long")
	default:
		if _, dialCode := egress.Classify(err); dialCode != egress.CodeDialFailed {
			code, cause = dialCode, err // a TLS alert that came after the handshake
		}
	}
	return refusal("handshake", transport.Temporary, code, cause)
}

// statusFault is the error for a handshake that was answered with something else
// than an upgrade. Nothing of the message was sent.
func statusFault(t *tenant, resp *http.Response, now time.Time) *outbound.DeliveryError {
	fault := refusal("handshake", httprules.ClassOf(resp.StatusCode, t.strict), strconv.Itoa(resp.StatusCode),
		errors.New(httprules.StatusText(resp.StatusCode)))
	if fault.Class == transport.Success {
		fault.Class, fault.Err = transport.Temporary, errors.New("there is no WebSocket at the endpoint")
	}
	fault.Gone = resp.StatusCode == http.StatusGone
	wait, throttled := httprules.RetryAfter(resp, now)
	fault.RetryAfter = wait
	if throttled {
		fault.Class = transport.Throttled
	}
	return fault
}

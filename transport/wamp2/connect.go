package wamp2

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// maxHandshake bounds what a router may send before the WebSocket connection is up.
const maxHandshake = 64 << 10

// guardedConn bounds the answer to the handshake, which gorilla/websocket does not.
type guardedConn struct {
	net.Conn
	left atomic.Int64 // negative: no bound
}

func (c *guardedConn) Read(b []byte) (int, error) {
	left := c.left.Load()
	if left < 0 {
		return c.Conn.Read(b)
	}
	if left == 0 {
		return 0, errors.New("the answer's header is too long")
	}
	n, err := c.Conn.Read(b[:min(int64(len(b)), left)])
	c.left.CompareAndSwap(left, left-int64(n))
	return n, err
}

// link is a WebSocket connection with its serializer.
type link struct {
	*websocket.Conn
	serializer *wamp.Serializer
	channel    []byte // identifies the TLS connection; nil without TLS 1.3
}

// connect makes the WebSocket connection.
func connect(ctx context.Context, dial Dial, u url.URL, o Options) (*link, error) {
	var raw net.Conn
	guarded, detach := &guardedConn{}, func() bool { return true }
	guarded.left.Store(maxHandshake)
	connected := func(within context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(within, network, address)
		if err != nil {
			return nil, err
		}
		raw, guarded.Conn = conn, conn
		// gorilla heeds the context's deadline and not its end.
		detach = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		return guarded, nil
	}
	dialer := websocket.Dialer{NetDialContext: connected, NetDialTLSContext: connected, HandshakeTimeout: 30 * time.Second}
	for _, s := range o.Serializers {
		dialer.Subprotocols = append(dialer.Subprotocols, s.Subprotocol())
	}
	conn, resp, err := dialer.DialContext(ctx, u.String(), nil) //nolint:bodyclose // it need not be closed
	if !detach() && err == nil {
		_ = conn.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, handshakeFault(ctx, raw != nil, resp, err)
	}
	guarded.left.Store(-1)
	conn.SetReadLimit(o.MaxMessage)
	l := &link{Conn: conn, channel: channelID(raw)}
	for _, s := range o.Serializers {
		if s.Subprotocol() == l.Subprotocol() {
			l.serializer = s
		}
	}
	if l.serializer == nil {
		_ = conn.Close()
		return nil, &HandshakeError{Err: errors.New("the router speaks none of the serializers that were offered")}
	}
	return l, nil
}

// handshakeFault is the error of a handshake: the dialer's own before there was a
// connection.
func handshakeFault(ctx context.Context, connected bool, resp *http.Response, err error) error {
	switch {
	case !connected:
		return err
	case ctx.Err() != nil:
		return &HandshakeError{Err: context.Cause(ctx)}
	case resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		return &HandshakeError{Status: resp.StatusCode, Err: errors.New(strings.ToLower(cmp.Or(http.StatusText(resp.StatusCode), "unknown status")))}
	case resp != nil:
		return &HandshakeError{Status: resp.StatusCode, Err: errors.New("the answer does not fit the request")}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &HandshakeError{Err: fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)}
	}
	return &HandshakeError{Err: errors.New("the connection broke, or the answer is not HTTP")}
}

// channelID identifies a connection of TLS 1.3; nil for others.
func channelID(conn net.Conn) []byte {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	state := secured.ConnectionState()
	binding, err := secmod.BindTLS(&state)
	if err != nil {
		return nil // whoever asks for the binding says that there is none
	}
	return binding.ID
}

package wsin_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/transport/inbound/wsin"
)

// receiver is a transport that is started, and what its handler has got.
type receiver struct {
	*wsin.Transport
	manager *inbound.Manager
	inbox   inboundtest.Inbox
}

// receive starts a transport whose messages are kept and then given to the
// handler, where there is one.
func receive(t testing.TB, handler inbound.Handler, options wsin.Options, more inbound.Options) *receiver {
	t.Helper()
	tr, err := wsin.New("127.0.0.1:0", options)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{Transport: tr, inbox: inboundtest.Inbox{Then: handler}}
	r.manager = inboundtest.Start(t, r.inbox.Handle, more, tr)
	return r
}

func (r *receiver) messages() []*inbound.Message { return r.inbox.All() }

func (r *receiver) payloads() string {
	var all []string
	for _, m := range r.messages() {
		all = append(all, string(m.Payload))
	}
	return strings.Join(all, " ")
}

func (r *receiver) noSessions(t testing.TB) {
	t.Helper()
	eventually(t, "the session is closed", func() bool { return len(r.manager.Sessions()) == 0 })
}

// eventually waits for what nothing tells of.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited for long until %s", what)
		}
	}
}

// Opcodes (RFC 6455 section 5.2).
const (
	opContinue = 0
	opText     = 1
	opBinary   = 2
	opClose    = 8
	opPing     = 9
	opPong     = 10
)

const final = 0x80

// frame makes a frame as a client should, with a mask of zeros.
func frame(first byte, payload []byte) []byte {
	f := []byte{first}
	switch n := len(payload); {
	case n < 126:
		f = append(f, 0x80|byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, 0x80|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 0x80|127), uint64(n))
	}
	return append(append(f, 0, 0, 0, 0), payload...)
}

func closeFrame(code uint16, reason string) []byte {
	return frame(final|opClose, append(binary.BigEndian.AppendUint16(nil, code), reason...))
}

// rawPeer is a peer that writes bytes.
type rawPeer struct {
	net.Conn
	r *bufio.Reader
}

const handshake = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"

// shake makes the handshake, with more headers, on a connection.
func shake(t testing.TB, c net.Conn, header string) *rawPeer {
	t.Helper()
	p := &rawPeer{c, bufio.NewReader(c)}
	if _, err := io.WriteString(c, handshake+header+"\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(p.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake is answered with %s", resp.Status)
	}
	return p
}

// raw connects a peer over TCP.
func (r *receiver) raw(t testing.TB) *rawPeer {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(r.Address(), "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return shake(t, c, "")
}

func (p *rawPeer) write(t testing.TB, frames ...[]byte) {
	t.Helper()
	if _, err := p.Write(bytes.Join(frames, nil)); err != nil {
		t.Fatal(err)
	}
}

// next reads a frame from the server.
func (p *rawPeer) next() (op byte, payload []byte, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(p.r, head); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		long := make([]byte, 2)
		_, err = io.ReadFull(p.r, long)
		n = uint64(binary.BigEndian.Uint16(long))
	case 127:
		long := make([]byte, 8)
		_, err = io.ReadFull(p.r, long)
		n = binary.BigEndian.Uint64(long)
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(p.r, payload)
	return head[0] & 0x0f, payload, err
}

// until reads up to a frame of that kind, and answers no ping.
func (p *rawPeer) until(t testing.TB, want byte) []byte {
	t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		op, payload, err := p.next()
		if err != nil {
			t.Fatalf("waiting for a frame of kind %d: %v", want, err)
		}
		if op == want {
			return payload
		}
	}
}

// closedWith reads up to the close frame, and returns its code, 0 where the
// connection ends without.
func (p *rawPeer) closedWith() (int, error) {
	_ = p.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		op, payload, err := p.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
			return 0, nil
		case err != nil:
			return 0, err
		case op == opClose && len(payload) < 2:
			return 1005, nil
		case op == opClose:
			return int(binary.BigEndian.Uint16(payload)), nil
		}
	}
}

// memory starts a receiver on a listener in memory, in a bubble of synctest. The
// returned function connects.
func memory(t *testing.T, handler inbound.Handler, options wsin.Options, more inbound.Options) (*receiver, func(header string) *rawPeer) {
	t.Helper()
	l := inboundtest.NewListener()
	options.Server.Listener = l
	r := receive(t, handler, options, more)
	return r, func(header string) *rawPeer {
		c, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return shake(t, c, header)
	}
}

// drop reads and drops until the connection ends; the channel is closed then.
func (p *rawPeer) drop() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, p.r)
	}()
	return done
}

func ackPing(n int) []byte { return frame(final|opPing, fmt.Appendf(nil, "outrider:%d", n)) }

func message(text string) inboundtest.Message {
	return inboundtest.Message{Payload: []byte(text), Text: true}
}

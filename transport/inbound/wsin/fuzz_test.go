package wsin_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/transport/inbound/wsin"
	"github.com/outrider-go/outrider/transport/ingress"
)

// FuzzFrames: whatever comes after a handshake, the receiver does not panic, leaves
// no session, and hands over no message that is longer than allowed, or text that
// is not UTF-8.
func FuzzFrames(f *testing.F) {
	for _, seed := range [][]byte{
		frame(final|opText, []byte("text")),
		append(frame(opText, []byte("a")), frame(final|opContinue, []byte("b"))...),
		append(frame(final|opText, []byte("a")), ackPing(1)...),
		append(frame(final|0x40|opBinary, []byte("deflated?")), closeFrame(1000, "bye")...),
		{final | opBinary, 0x80 | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		frame(final|opPong, []byte("outrider:1")),
		{final | opText, 1, 'a'},
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, frames []byte, compressed bool) {
		l := inboundtest.NewListener()
		r := receive(t, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
			if len(m.Payload) > 64 || m.Text && !utf8.Valid(m.Payload) {
				t.Errorf("a message of %d bytes is handled, text %v", len(m.Payload), m.Text)
			}
			return &inbound.Reply{Payload: m.Payload, Text: m.Text, WireFormat: "raw"}, nil
		}, wsin.Options{
			MaxMessageBytes: 64, Compression: compressed, CloseTimeout: time.Millisecond, WriteTimeout: time.Second,
			Server: ingress.Options{Listener: l},
		}, inbound.Options{})
		c, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		header := ""
		if compressed {
			header = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
		}
		p := shake(t, c, header)
		read := p.drop()
		_ = p.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = p.Write(frames)
		_ = p.Close()
		<-read
		r.noSessions(t)
	})
}

// FuzzHandshake: no request makes the receiver panic or leave a session.
func FuzzHandshake(f *testing.F) {
	f.Add(handshake + "\r\n")
	f.Add(handshake + "Sec-WebSocket-Protocol: a, b\r\nOrigin: http://h\r\n\r\n")
	f.Add(handshake + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"x\r\n\r\n")
	f.Add(strings.Replace(handshake, "GET", "POST", 1) + "\r\n")
	f.Fuzz(func(t *testing.T, request string) {
		l := inboundtest.NewListener()
		r := receive(t, nil, wsin.Options{
			Subprotocols: []wsin.Subprotocol{{Name: "a"}}, Compression: true, CloseTimeout: time.Millisecond,
			Server: ingress.Options{Listener: l},
		}, inbound.Options{})
		c, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, c)
		}()
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(c, request)
		_ = c.Close()
		<-read
		r.noSessions(t)
	})
}

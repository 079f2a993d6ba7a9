package wsin_test

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/wsin"
	"github.com/outrider-go/outrider/wireformat"
)

// TestFrames: what a peer may send, and what it is told where it may not.
func TestFrames(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("x"), 1000)
	huge := append(append([]byte{final | opBinary, 0x80 | 127}, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0, 0, 0, 0)
	tests := []struct {
		name   string
		frames [][]byte
		want   int // close code; 1000: the peer's own
		got    string
	}{
		{"text", [][]byte{frame(final|opText, []byte("a"))}, 1000, "a"},
		{"fragments", [][]byte{frame(opText, []byte("a")), frame(opContinue, []byte("b")), frame(final|opContinue, []byte("c"))}, 1000, "abc"},
		{"ping between fragments", [][]byte{frame(opText, []byte("a")), frame(final|opPing, nil), frame(final|opContinue, []byte("b"))}, 1000, "ab"},
		{"character over two fragments", [][]byte{frame(opText, []byte("\xc3")), frame(final|opContinue, []byte("\xa9"))}, 1000, "é"},
		{"empty fragments", [][]byte{frame(opBinary, nil), frame(opContinue, nil), frame(final|opContinue, []byte("a"))}, 1000, "a"},
		{"pong nobody asked for", [][]byte{frame(final|opPong, []byte("outrider:99")), frame(final|opText, []byte("a"))}, 1000, "a"},
		{"longest", [][]byte{frame(final|opBinary, long)}, 1000, string(long)},

		{"too long", [][]byte{frame(final|opBinary, append(long, 'x'))}, 1009, ""},
		{"too long in fragments", [][]byte{frame(opBinary, long), frame(final|opContinue, []byte("x"))}, 1009, ""},
		{"length beyond all bounds", [][]byte{huge, bytes.Repeat([]byte("x"), 2000)}, 1009, ""},
		{"negative length", [][]byte{{final | opBinary, 0x80 | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}}, 1002, ""},
		{"text that is not UTF-8", [][]byte{frame(final|opText, []byte("\xff"))}, 1007, ""},
		{"half a character", [][]byte{frame(final|opText, []byte("\xc3"))}, 1007, ""},
		{"bytes that are not UTF-8", [][]byte{frame(final|opBinary, []byte("\xff"))}, 1000, "\xff"},
		{"no mask", [][]byte{{final | opText, 1, 'a'}}, 1002, ""},
		{"reserved bit", [][]byte{frame(final|0x40|opText, []byte("a"))}, 1002, ""},
		{"reserved opcode", [][]byte{frame(final|3, nil)}, 1002, ""},
		{"reserved control opcode", [][]byte{frame(final|11, nil)}, 1002, ""},
		{"long ping", [][]byte{frame(final|opPing, long[:126])}, 1002, ""},
		{"ping in fragments", [][]byte{frame(opPing, nil)}, 1002, ""},
		{"continuation of nothing", [][]byte{frame(final|opContinue, []byte("a"))}, 1002, ""},
		{"message in a message", [][]byte{frame(opText, []byte("a")), frame(final|opText, []byte("b"))}, 1002, ""},
		{"close in a message", [][]byte{frame(opText, []byte("a")), closeFrame(1000, "")}, 1000, ""},
		{"close code that is none", [][]byte{closeFrame(1004, "")}, 1002, ""},
		{"close code of one byte", [][]byte{frame(final|opClose, []byte{3})}, 1005, ""},
		{"close reason that is not UTF-8", [][]byte{closeFrame(1000, "\xff")}, 1002, ""},
		{"close without a code", [][]byte{frame(final|opClose, nil)}, 1005, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := receive(t, nil, wsin.Options{MaxMessageBytes: 1000, CloseTimeout: 50 * time.Millisecond}, inbound.Options{})
			p := r.raw(t)
			p.write(t, test.frames...)
			if test.want == 1000 {
				p.write(t, closeFrame(1000, ""))
			}
			code, err := p.closedWith()
			if err != nil || code != test.want {
				t.Errorf("closed with %d, %v, want %d", code, err, test.want)
			}
			r.noSessions(t)
			if test.got != "" {
				eventually(t, "the message is handled", func() bool { return len(r.messages()) > 0 })
			}
			if got := r.payloads(); got != test.got {
				t.Errorf("it arrived as %q", got)
			}
		})
	}
}

// TestCloseCodes: each that a peer may send is answered with itself.
func TestCloseCodes(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, wsin.Options{}, inbound.Options{})
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 4999} {
		p := r.raw(t)
		p.write(t, closeFrame(code, "bye"))
		if got, err := p.closedWith(); err != nil || got != int(code) {
			t.Errorf("%d is answered with %d, %v", code, got, err)
		}
	}
	r.noSessions(t)
}

// TestInflatedMessages are bounded: 16 MiB of zeros take 16 KiB on the wire.
func TestInflatedMessages(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, wsin.Options{MaxMessageBytes: 1 << 20, Compression: true, CloseTimeout: 50 * time.Millisecond}, inbound.Options{})
	deflate := func(n int) []byte {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 9)
		_, _ = w.Write(make([]byte, n))
		_ = w.Flush()
		return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
	}
	connect := func() *rawPeer {
		c, err := net.Dial("tcp", r.Address()[len("ws://"):])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return shake(t, c, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
	}
	p := connect()
	p.write(t, frame(final|0x40|opBinary, deflate(1<<20)), ackPing(1))
	p.until(t, opPong)
	if m := r.messages()[0]; len(m.Payload) != 1<<20 {
		t.Errorf("%d bytes arrived", len(m.Payload))
	}
	p = connect()
	p.write(t, frame(final|0x40|opBinary, deflate(16<<20)))
	if code, err := p.closedWith(); err != nil || code != 1009 {
		t.Errorf("a bomb: closed with %d, %v, want 1009", code, err)
	}
	p = connect()
	p.write(t, frame(final|0x40|opBinary, []byte("this was never deflated")))
	if code, err := p.closedWith(); err != nil || code != 1002 {
		t.Errorf("nonsense: closed with %d, %v, want 1002", code, err)
	}
}

// TestSilentPeers are hung up on: one that says nothing, one that never pongs, one
// that trickles a message, one that sends fragments of nothing without end.
func TestSilentPeers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		each []byte // every second
		most time.Duration
	}{
		{"nothing", nil, 16 * time.Second},
		{"trickling message", frame(opContinue, []byte("x")), time.Minute + time.Second},
		{"empty fragments", frame(opContinue, nil), 17 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, connect := memory(t, nil, wsin.Options{}, inbound.Options{})
				p := connect("")
				begun, gone := time.Now(), p.drop()
				if test.each != nil {
					p.write(t, frame(opBinary, []byte("x")))
				}
				for time.Since(begun) < 2*time.Minute {
					select {
					case <-gone:
					case <-time.After(time.Second):
						_, _ = p.Write(test.each)
						continue
					}
					break
				}
				if took := time.Since(begun); took > test.most {
					t.Errorf("it was hung up on after %v, want %v at most", took, test.most)
				}
				synctest.Wait()
				if len(r.manager.Sessions()) != 0 || len(r.messages()) != 0 {
					t.Error("the session is open, or something was handled")
				}
				if errs := r.Collector().Snapshot().Errors; errs["timeout"] != 1 {
					t.Errorf("counted: %v", errs)
				}
			})
		})
	}
}

// TestLivingPeers stay: one that pongs, and one that pings itself.
func TestLivingPeers(t *testing.T) {
	t.Parallel()
	for _, pongs := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r, connect := memory(t, nil, wsin.Options{}, inbound.Options{})
			p := connect("")
			pings := 0
			go func() {
				for op, _, err := p.next(); err == nil; op, _, err = p.next() {
					if op == opPing {
						pings++
						if pongs {
							_, _ = p.Write(frame(final|opPong, nil))
						}
					}
				}
			}()
			for range 30 {
				<-time.After(2 * time.Second)
				if !pongs {
					p.write(t, frame(final|opPing, []byte("alive")))
				}
			}
			synctest.Wait()
			if len(r.manager.Sessions()) != 1 {
				t.Errorf("pongs %v: it was hung up on", pongs)
			}
			if pongs && pings < 15 {
				t.Errorf("there were %d pings in a minute", pings)
			}
			_ = p.Close()
		})
	}
}

// TestPeerThatNeverReads: nothing counts as delivered, and the socket ends.
func TestPeerThatNeverReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, connect := memory(t, nil, wsin.Options{}, inbound.Options{})
		p := connect("")
		p.write(t, frame(final|opText, []byte("x")))
		synctest.Wait()
		results := make(chan error, 3)
		for range cap(results) {
			go func() {
				_, err := deliver(t.Context(), r, r.messages()[0].Session, "never read")
				results <- err
			}()
		}
		for range cap(results) {
			if err := <-results; err == nil {
				t.Error("it is delivered")
			}
		}
		synctest.Wait()
		if len(r.manager.Sessions()) != 0 {
			t.Error("the session is open")
		}
	})
}

func deliver(ctx context.Context, r *receiver, session, text string) (transport.Evidence, error) {
	return r.manager.Deliver(ctx, profile.DefaultID, transport.Peer{Session: session}, transport.NewID(time.Now()),
		wireformat.Frame{Text: true, Body: []byte(text)})
}

// TestPeerThatNeverPongs, but sends and reads: what is written to it does not count
// as delivered, and may have arrived.
func TestPeerThatNeverPongs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, connect := memory(t, nil, wsin.Options{}, inbound.Options{})
		p := connect("")
		p.write(t, frame(final|opText, []byte("x")))
		synctest.Wait()
		gone := p.drop()
		result := make(chan error, 1)
		begun := time.Now()
		go func() {
			_, err := deliver(t.Context(), r, r.messages()[0].Session, "no pong")
			result <- err
		}()
		for {
			select {
			case err := <-result:
				if err == nil || errors.Is(err, transport.ErrNoSession) || errors.Is(err, transport.ErrSessionGone) {
					t.Errorf("%v, want an error after which it may have arrived", err)
				}
				if took := time.Since(begun); took > 25*time.Second {
					t.Errorf("it took %v", took)
				}
				<-gone
				return
			case <-time.After(time.Second):
				_, _ = p.Write(frame(final|opText, []byte("busy")))
			}
		}
	})
}

// TestHandshakes: who may connect.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, wsin.Options{AllowedOrigins: []string{"https://app.example"}}, inbound.Options{})
	tests := []struct{ name, request, want string }{
		{"no browser", handshake, "101"},
		{"same host", handshake + "Origin: http://localhost\r\n", "101"},
		{"allowed", handshake + "Origin: https://app.example\r\n", "101"},
		{"another page", handshake + "Origin: https://evil.example\r\n", "403"},
		{"page whose name was rebound", strings.Replace(handshake, "localhost", "evil.example", 1) + "Origin: http://evil.example\r\n", "403"},
		{"sandboxed page", handshake + "Origin: null\r\n", "403"},
		{"two origins", handshake + "Origin: http://localhost\r\nOrigin: https://evil.example\r\n", "403"},
		{"old version", "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n", "400"},
		{"no key", "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", "400"},
		{"health", "GET / HTTP/1.1\r\nHost: localhost\r\n", "200"},
		{"nothing here", "GET /x HTTP/1.1\r\nHost: localhost\r\n", "426"},
		{"no message", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n", "426"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", r.Address()[len("ws://"):])
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = c.Write([]byte(test.request + "\r\n"))
			head := make([]byte, len("HTTP/1.1 200"))
			if _, err := c.Read(head); err != nil || string(head[9:]) != test.want {
				t.Errorf("%q, %v, want %s", head, err, test.want)
			}
		})
	}
}

// TestFINAfterMessage: a message whose peer has gone is handled.
func TestFINAfterMessage(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, wsin.Options{}, inbound.Options{})
	p := r.raw(t)
	p.write(t, frame(final|opText, []byte("last")))
	_ = p.CloseWrite()
	r.noSessions(t)
	eventually(t, "it is handled", func() bool { return r.payloads() == "last" })
}

// CloseWrite sends a FIN.
func (p *rawPeer) CloseWrite() error { return p.Conn.(*net.TCPConn).CloseWrite() }

// TestFINBeforeDelivery: a write into a connection that the peer has left says
// nothing, and counts for nothing.
func TestFINBeforeDelivery(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	r := receive(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		<-hold
		return nil, nil
	}, wsin.Options{Waiting: 1}, inbound.Options{})
	p := r.raw(t)
	for range 4 { // the reader stops, and does not see what follows
		p.write(t, frame(final|opText, []byte("x")))
	}
	eventually(t, "the first is handled", func() bool { return len(r.messages()) == 1 })
	session := r.messages()[0].Session
	_ = p.Close()
	result := make(chan error, 1)
	go func() {
		_, err := deliver(t.Context(), r, session, "into the void")
		result <- err
	}()
	eventually(t, "it is written", func() bool {
		all := r.manager.Sessions()
		return len(all) == 0 || all[0].Queued == 0
	})
	close(hold)
	if err := <-result; err == nil {
		t.Error("it is delivered")
	}
	r.noSessions(t)
}

func TestReset(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, wsin.Options{}, inbound.Options{})
	for range 20 {
		p := r.raw(t)
		p.write(t, frame(final|opText, []byte("x")))
		_ = p.Conn.(*net.TCPConn).SetLinger(0)
		_ = p.Close()
	}
	r.noSessions(t)
}

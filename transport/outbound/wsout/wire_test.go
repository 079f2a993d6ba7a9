package wsout

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// frame is one of a server: not masked.
func frame(first byte, payload []byte) []byte {
	head := []byte{first}
	switch n := len(payload); {
	case n > 65535:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(n))
	case n > 125:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(n))
	default:
		head = append(head, byte(n))
	}
	return append(head, payload...)
}

const (
	final      = 0x80
	textFrame  = final | websocket.TextMessage
	binFrame   = final | websocket.BinaryMessage
	closeFrame = final | websocket.CloseMessage
	pingFrame  = final | websocket.PingMessage
	pongFrame  = final | websocket.PongMessage
)

// misbehave is a peer that upgrades, reads one message, and then plays.
func misbehave(t testing.TB, play func(conn *net.TCPConn, in *bufio.Reader)) string {
	return "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		if !upgrade(conn, in) {
			return
		}
		for {
			kind, _, err := readFrame(in)
			if err != nil {
				return
			}
			if kind < websocket.CloseMessage {
				break
			}
		}
		play(conn, in)
	})
}

func says(texts ...[]byte) func(*net.TCPConn, *bufio.Reader) {
	return func(conn *net.TCPConn, in *bufio.Reader) {
		for _, text := range texts {
			if _, err := conn.Write(text); err != nil {
				return
			}
		}
		_ = conn.CloseWrite()
		_, _ = in.WriteTo(devNull{})
	}
}

// impatient are options with which nothing takes long.
func impatient(ack Ack) Options {
	return Options{
		Ack: ack, ReconnectWait: time.Millisecond, MaxReconnectWait: time.Millisecond, CloseTimeout: 50 * time.Millisecond,
		WriteTimeout: 100 * time.Millisecond, MaxInboundBytes: 1000, OnFrame: func(context.Context, Frame) error { return nil },
	}
}

// No peer that breaks the connection in the place of an answer is taken for one
// that has got the message.
func TestMisbehavingPeers(t *testing.T) {
	t.Parallel()
	fragments := func(first byte, rest byte, payload []byte, n int) []byte {
		return append(frame(first, payload), bytes.Repeat(frame(rest, payload), n)...)
	}
	for name, test := range map[string]struct {
		play func(*net.TCPConn, *bufio.Reader)
		code string
	}{
		"end of file": {says(), codeConnectionClosed},
		"reset":       {func(conn *net.TCPConn, _ *bufio.Reader) { _ = conn.SetLinger(0) }, codeConnectionReset},
		"reset in the middle of a frame": {func(conn *net.TCPConn, _ *bufio.Reader) {
			_, _ = conn.Write(frame(textFrame, []byte("some text"))[:4])
			_ = conn.SetLinger(0)
		}, codeConnectionReset},
		"end in the middle of a frame":     {says(frame(textFrame, []byte("some text"))[:4]), codeConnectionClosed},
		"end in the middle of a header":    {says([]byte{textFrame}), codeConnectionClosed},
		"end between fragments":            {says(frame(websocket.TextMessage, []byte("some"))), codeConnectionClosed},
		"masked":                           {says([]byte{textFrame, 0x81, 1, 2, 3, 4, 'x' ^ 1}), codeProtocolError},
		"reserved bit 1":                   {says(frame(textFrame|0x40, []byte("x"))), codeProtocolError},
		"reserved bit 2":                   {says(frame(textFrame|0x20, []byte("x"))), codeProtocolError},
		"reserved bit 3":                   {says(frame(textFrame|0x10, []byte("x"))), codeProtocolError},
		"reserved opcode":                  {says(frame(final|3, []byte("x"))), codeProtocolError},
		"reserved control opcode":          {says(frame(final|0xb, []byte("x"))), codeProtocolError},
		"long ping":                        {says(frame(pingFrame, make([]byte, 126))), codeProtocolError},
		"fragmented ping":                  {says(frame(websocket.PingMessage, []byte("x"))), codeProtocolError},
		"continuation of nothing":          {says(frame(final, []byte("x"))), codeProtocolError},
		"message in a message":             {says(fragments(websocket.TextMessage, textFrame, []byte("x"), 1)), codeProtocolError},
		"text that is not UTF-8":           {says(frame(textFrame, []byte("\xff"))), codeProtocolError},
		"too long":                         {says(frame(binFrame, make([]byte, 1001))), codeInboundTooLong},
		"too long in fragments":            {says(fragments(websocket.BinaryMessage, 0, make([]byte, 100), 100)), codeInboundTooLong},
		"many fragments of nothing":        {says(fragments(websocket.BinaryMessage, 0, nil, 100_000)), codeInboundTooLong},
		"many pings in a message":          {says(frame(websocket.BinaryMessage, nil), bytes.Repeat(frame(pingFrame, make([]byte, 125)), 1000)), codeInboundTooLong},
		"a length with its first bit":      {says([]byte{binFrame, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), codeInboundTooLong},
		"a length of 2^63-1":               {says([]byte{binFrame, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), codeInboundTooLong},
		"HTTP":                             {says([]byte("HTTP/1.1 200 OK\r\n\r\n")), codeProtocolError},
		"close code of one byte":           {says(frame(closeFrame, []byte{3})), codeConnectionClosed},
		"close code 0":                     {says(frame(closeFrame, []byte{0, 0})), codeProtocolError},
		"close code 1005":                  {says(frame(closeFrame, []byte{0x3, 0xed})), codeProtocolError},
		"close code 1006":                  {says(frame(closeFrame, []byte{0x3, 0xee})), codeProtocolError},
		"close reason that is not UTF-8":   {says(frame(closeFrame, []byte{0x3, 0xe8, 0xff})), codeProtocolError},
		"pong of a ping that was not sent": {says(frame(pongFrame, []byte("outrider:2")), frame(pongFrame, []byte("outrider:18446744073709551615"))), codeConnectionClosed},
		"pongs of another kind": {says(frame(pongFrame, nil), frame(pongFrame, []byte("outrider:")), frame(pongFrame, []byte("outrider:-1")),
			frame(pongFrame, []byte("outrider:0")), frame(pongFrame, []byte("heartbeat"))), codeConnectionClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := start(t, impatient(AckPing))
			done := <-begin(t.Context(), tr, message(t, local(t, nil), misbehave(t, test.play), "x"))
			expect(t, done.fault, transport.Unknown, test.code, true)

			written := <-begin(t.Context(), start(t, impatient(AckNone)), message(t, local(t, nil), misbehave(t, test.play), "x"))
			if written.fault == nil && written.receipt.Evidence != transport.Written {
				t.Errorf("without acknowledgements the evidence is %s", written.receipt.Evidence)
			}
			if written.fault != nil && (written.fault.Class != transport.Unknown || !written.fault.MaybeSent) {
				t.Errorf("without acknowledgements: %v", written.fault)
			}
		})
	}
}

// The close codes mean what docs/websocket.md says, and are answered with the same.
func TestCloseCodes(t *testing.T) {
	t.Parallel()
	const permanent, temporary, unknown = transport.Permanent, transport.Temporary, transport.Unknown
	p := local(t, map[string]string{SettingAck: "ping", SettingCloseCodes: "4001=permanent, 4100-4199=permanent, 4150=temporary"})
	for _, test := range []struct {
		code        int
		class       transport.Class
		connections int64
	}{
		{1000, unknown, 3},
		{1001, unknown, 3},
		{1002, permanent, 2},
		{1003, permanent, 1},
		{1007, permanent, 1},
		{1008, permanent, 1},
		{1009, permanent, 1},
		{1010, permanent, 1},
		{1011, temporary, 1},
		{1012, temporary, 3},
		{1013, temporary, 1},
		{3000, temporary, 1},
		{4000, temporary, 1},
		{4001, permanent, 1},
		{4100, permanent, 1},
		{4150, temporary, 1},
		{4199, permanent, 1},
		{4999, temporary, 1},
	} {
		t.Run(strconv.Itoa(test.code), func(t *testing.T) {
			t.Parallel()
			echoed := make(chan int, 3)
			var connections atomic.Int64
			uri := misbehave(t, func(conn *net.TCPConn, in *bufio.Reader) {
				connections.Add(1)
				_, _ = conn.Write(frame(closeFrame, binary.BigEndian.AppendUint16(nil, uint16(test.code))))
				for {
					kind, payload, err := readFrame(in)
					if err != nil {
						return
					}
					if kind == websocket.CloseMessage {
						echoed <- int(binary.BigEndian.Uint16(payload))
						return
					}
				}
			})
			tr := start(t, impatient(AckNone))
			expect(t, fail(t, t.Context(), tr, message(t, p, uri, "x")), test.class, strconv.Itoa(test.code), true)
			if got := connections.Load(); got != test.connections {
				t.Errorf("%d connections, want %d", got, test.connections)
			}
			if got := <-echoed; got != test.code {
				t.Errorf("the close was answered with %d", got)
			}
		})
	}
}

// A connection that was lost says nothing about its message, which goes to the
// next one.
func TestLostConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	for name, say := range map[string][]byte{
		"end of file": nil,
		"1000":        frame(closeFrame, []byte{0x03, 0xe8}),
		"1001":        frame(closeFrame, []byte{0x03, 0xe9}),
		"1002":        frame(closeFrame, []byte{0x03, 0xea}),
		"1012":        frame(closeFrame, []byte{0x03, 0xf4}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var connections atomic.Int64
			received := make(chan string, 3)
			uri := "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
				if !upgrade(conn, in) {
					return
				}
				first := connections.Add(1) < 3
				if len(say) > 3 && say[3] == 0xea { // 1002 is about the message the second time
					first = connections.Load() < 2
				}
				for {
					kind, payload, err := readFrame(in)
					switch {
					case err != nil:
						return
					case kind == websocket.PingMessage && !first:
						_, _ = conn.Write(frame(pongFrame, payload))
					case kind < websocket.CloseMessage:
						received <- "message"
						if first {
							_, _ = conn.Write(say)
							return
						}
					}
				}
			})
			tr := start(t, impatient(AckPing))
			if receipt := deliver(t, tr, message(t, local(t, nil), uri, "x")); receipt.Evidence != transport.Acknowledged || receipt.Code != codePong {
				t.Errorf("got %+v", receipt)
			}
			want := 3
			if name == "1002" {
				want = 2
			}
			for range want {
				<-received
			}
			if got := connections.Load(); got != int64(want) {
				t.Errorf("%d connections", got)
			}
		})
	}
}

// Of many messages, one that the peer will not have is found out, and the others
// arrive.
func TestOneBadMessageAmongMany(t *testing.T) {
	t.Parallel()
	uri := "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		if !upgrade(conn, in) {
			return
		}
		for {
			kind, payload, err := readFrameOr(in, false)
			if err != nil {
				return
			}
			switch {
			case kind == websocket.PingMessage:
				_, _ = conn.Write(frame(pongFrame, payload))
			case string(payload) == "bad":
				_, _ = conn.Write(frame(closeFrame, binary.BigEndian.AppendUint16(nil, websocket.CloseUnsupportedData)))
				return
			}
		}
	})
	options := impatient(AckPing)
	tr, p := start(t, options), local(t, nil)
	deliver(t, tr, message(t, p, uri, "first"))
	attempts := map[string]<-chan attempt{}
	for i := range 10 {
		payload := fmt.Sprint(i)
		if i == 4 {
			payload = "bad"
		}
		attempts[payload] = begin(t.Context(), tr, message(t, p, uri, payload))
	}
	for payload, waiting := range attempts {
		done := <-waiting
		if payload == "bad" {
			expect(t, done.fault, transport.Permanent, "1003", true)
		} else if done.fault != nil {
			t.Errorf("message %s: %v", payload, done.fault)
		}
	}
}

// A peer that reads nothing gets no more than the socket takes, and the attempt
// ends as one that may have arrived.
func TestPeerThatNeverReads(t *testing.T) {
	t.Parallel()
	for _, ack := range []Ack{AckNone, AckPing, AckReply} {
		t.Run(string(ack), func(t *testing.T) {
			t.Parallel()
			held := make(chan struct{})
			uri := "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
				if upgrade(conn, in) {
					<-held
				}
			})
			t.Cleanup(func() { close(held) })
			m := message(t, local(t, nil), uri, "")
			m.Payload, m.Text = make([]byte, 16<<20), false
			expect(t, fail(t, t.Context(), start(t, impatient(ack)), m), transport.Unknown, codeWriteTimeout, true)
		})
	}
}

// A peer that reads, and is silent, is given up after PongTimeout.
func TestSilentPeer(t *testing.T) {
	t.Parallel()
	uri := misbehave(t, func(_ *net.TCPConn, in *bufio.Reader) { _, _ = in.WriteTo(devNull{}) })
	options := impatient(AckPing)
	options.PingInterval, options.PongTimeout = 10*time.Millisecond, 30*time.Millisecond
	expect(t, fail(t, t.Context(), start(t, options), message(t, local(t, nil), uri, "x")), transport.Unknown, codePongTimeout, true)
}

// A peer that answers heartbeats and acknowledges nothing holds an attempt until
// its deadline, and the connection stays.
func TestPeerThatNeverAcknowledges(t *testing.T) {
	t.Parallel()
	for _, ack := range []Ack{AckPing, AckReply} {
		t.Run(string(ack), func(t *testing.T) {
			t.Parallel()
			var connections atomic.Int64
			read := make(chan struct{}, 1)
			uri := "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
				if !upgrade(conn, in) {
					return
				}
				connections.Add(1)
				for {
					kind, payload, err := readFrame(in)
					if err != nil {
						return
					}
					switch {
					case kind == websocket.PingMessage && string(payload) == heartbeat:
						_, _ = conn.Write(frame(pongFrame, payload))
					case kind < websocket.CloseMessage:
						read <- struct{}{}
					}
				}
			})
			options := impatient(ack)
			options.PingInterval, options.PongTimeout, options.WindowFrames = 5*time.Millisecond, time.Minute, 2
			tr, p := start(t, options), local(t, nil)
			for range 5 { // what nobody waits for takes no room in the window
				ctx, cancel := context.WithCancel(t.Context())
				waiting := begin(ctx, tr, message(t, p, uri, "x"))
				<-read
				cancel()
				expect(t, (<-waiting).fault, transport.Unknown, codeCanceled, true)
			}
			if connections.Load() != 1 {
				t.Errorf("%d connections", connections.Load())
			}
		})
	}
}

// hungUp sees the end of a connection that nobody has read yet.
func TestHungUp(t *testing.T) {
	t.Parallel()
	for name, hangUp := range map[string]func(conn *net.TCPConn){
		"end of file": func(conn *net.TCPConn) { _ = conn.CloseWrite() },
		"reset":       func(conn *net.TCPConn) { _ = conn.SetLinger(0); _ = conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, done := make(chan struct{}), make(chan struct{})
			uri := "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, _ *bufio.Reader) {
				<-asked
				hangUp(conn)
				close(done)
				<-asked
			})
			conn, err := net.Dial("tcp", uri[len("ws://"):])
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			defer close(asked)
			w := newWire(conn, time.Second, &buffers{})
			if w.hungUp() {
				t.Error("hung up while the peer is there")
			}
			asked <- struct{}{}
			<-done
			for !w.hungUp() { // the kernels need a moment
				if t.Context().Err() != nil {
					t.Fatal("never hung up")
				}
			}
		})
	}
}

// Over connections that break at any moment, what counts as delivered has been
// read by the peer, whose own record is the judge.
func TestNothingIsDeliveredThatThePeerHasNotRead(t *testing.T) {
	t.Parallel()
	for name, ack := range map[string]Ack{"pings": AckPing, "replies": AckReply} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			read := map[string]bool{}
			uri := "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
				if !upgrade(conn, in) {
					return
				}
				for patience := 1 + rand.IntN(200); ; patience-- {
					kind, payload, err := readFrameOr(in, false)
					if err != nil {
						return
					}
					if patience == 0 {
						switch rand.IntN(4) {
						case 0:
							_ = conn.SetLinger(0)
						case 1:
							_, _ = conn.Write(frame(closeFrame, []byte{0x03, 0xe9}))
						case 2: // half of an answer
							_, _ = conn.Write(frame(pongFrame, payload)[:1])
						}
						return
					}
					switch {
					case kind == websocket.PingMessage:
						_, _ = conn.Write(frame(pongFrame, payload))
					case kind < websocket.CloseMessage:
						mu.Lock()
						read[string(payload)] = true
						mu.Unlock()
						if ack == AckReply {
							_, _ = conn.Write(frame(textFrame, payload))
						}
					}
				}
			})
			options := impatient(ack)
			options.Connections, options.OnFrame = 2, nil
			tr, p := start(t, options), local(t, nil)
			var delivered, lost atomic.Int64
			var senders sync.WaitGroup
			for range 32 {
				senders.Go(func() {
					for range 100 {
						m := message(t, p, uri, "")
						m.Payload = []byte(m.ID.String())
						_, err := tr.HandleMessage(t.Context(), m)
						mu.Lock()
						arrived := read[m.ID.String()]
						mu.Unlock()
						fault, _ := errors.AsType[*outbound.DeliveryError](err)
						switch {
						case err == nil && !arrived:
							t.Error("it counts as delivered, and the peer has not read it")
						case err == nil:
							delivered.Add(1)
						case !fault.MaybeSent && arrived:
							t.Errorf("it counts as not sent, and the peer has read it: %v", err)
						default:
							lost.Add(1)
						}
					}
				})
			}
			senders.Wait()
			t.Logf("%d delivered, %d not", delivered.Load(), lost.Load())
			if delivered.Load() == 0 {
				t.Error("nothing was delivered")
			}
		})
	}
}

// What a lost connection had under way is written again in its order, in front of
// what has not been written.
func TestReplaysKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const n = 8
	var connections atomic.Int64
	var mu sync.Mutex
	var order [2][]string
	uri := "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		if !upgrade(conn, in) {
			return
		}
		at := connections.Add(1) - 1
		if at >= int64(len(order)) {
			return
		}
		for {
			kind, payload, err := readFrameOr(in, false)
			if err != nil {
				return
			}
			if kind == websocket.PingMessage && at > 0 {
				_, _ = conn.Write(frame(pongFrame, payload))
			}
			if kind >= websocket.CloseMessage {
				continue
			}
			mu.Lock()
			order[at] = append(order[at], string(payload))
			full := len(order[at]) == n
			mu.Unlock()
			if full && at == 0 {
				return // with nothing acknowledged
			}
		}
	})
	tr, p := start(t, impatient(AckPing)), local(t, nil)
	var all []<-chan attempt
	for i := range n {
		all = append(all, begin(t.Context(), tr, message(t, p, uri, fmt.Sprint(i))))
	}
	for _, waiting := range all {
		if done := <-waiting; done.fault != nil {
			t.Error(done.fault)
		}
	}
	if fmt.Sprint(order[0]) != fmt.Sprint(order[1]) || len(order[1]) != n {
		t.Errorf("first %v, then %v", order[0], order[1])
	}
}

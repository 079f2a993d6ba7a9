package wsout

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// sink is a peer that reads frames as cheaply as can be, and answers pings.
func sink(t testing.TB) string {
	return "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		in = bufio.NewReaderSize(in, 64<<10)
		if !upgrade(conn, in) {
			return
		}
		for {
			kind, payload, err := readFrame(in)
			if err != nil {
				return
			}
			if kind == websocket.PingMessage {
				_, _ = conn.Write(append([]byte{0x80 | websocket.PongMessage, byte(len(payload))}, payload...))
			}
		}
	})
}

// upgrade answers a handshake.
func upgrade(conn net.Conn, in *bufio.Reader) bool {
	r, err := http.ReadRequest(in)
	if err != nil {
		return false
	}
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+acceptKey(r.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
	return err == nil
}

// readFrame reads a frame of a client. The payload is that of control frames; that
// of others is dropped.
func readFrame(in *bufio.Reader) (kind int, payload []byte, err error) {
	return readFrameOr(in, true)
}

// readFrameOr reads a frame of a client, and drops its payload where drop says so
// and it is none of a control frame.
func readFrameOr(in *bufio.Reader, drop bool) (kind int, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, err
	}
	kind, length := int(head[0]&0xf), uint64(head[1]&0x7f)
	var more [8]byte
	switch length {
	case 126:
		_, err = io.ReadFull(in, more[6:])
		length = binary.BigEndian.Uint64(more[:])
	case 127:
		_, err = io.ReadFull(in, more[:])
		length = binary.BigEndian.Uint64(more[:])
	}
	if err != nil {
		return 0, nil, err
	}
	var key [4]byte
	if _, err := io.ReadFull(in, key[:]); err != nil {
		return 0, nil, err
	}
	if drop && kind < websocket.CloseMessage {
		_, err = in.Discard(int(length))
		return kind, nil, err
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(in, payload)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return kind, payload, err
}

const benchSenders = 64

// inParallel calls send from 64 goroutines, n times in all, and reports the 99th
// percentile of what the calls took.
func inParallel(b *testing.B, send func() error) {
	took := make([][]time.Duration, benchSenders)
	var senders sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range benchSenders {
		senders.Go(func() {
			for j := i; j < b.N; j += benchSenders {
				began := time.Now()
				if err := send(); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	senders.Wait()
	b.StopTimer()
	var all []time.Duration
	for _, some := range took {
		all = append(all, some...)
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-us")
}

func BenchmarkHandleMessage(b *testing.B) {
	for name, options := range map[string]Options{"written": {}, "pings": {Ack: AckPing}} {
		b.Run(name, func(b *testing.B) {
			tr := start(b, options)
			m := &outbound.Message{
				Endpoint: parse(b, sink(b)), Payload: bytes.Repeat([]byte("x"), 1<<10), Profile: local(b, nil), ID: transport.NewID(time.Now()),
			}
			inParallel(b, func() error {
				_, err := tr.HandleMessage(b.Context(), m)
				return err
			})
		})
	}
}

// BenchmarkMutex is what BenchmarkHandleMessage is to be compared with: a mutex
// around WriteMessage.
func BenchmarkMutex(b *testing.B) {
	ws, _, err := websocket.DefaultDialer.Dial(sink(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ws.Close() })
	payload := bytes.Repeat([]byte("x"), 1<<10)
	var mu sync.Mutex
	inParallel(b, func() error {
		mu.Lock()
		defer mu.Unlock()
		return ws.WriteMessage(websocket.BinaryMessage, payload)
	})
}

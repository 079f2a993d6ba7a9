package wsout

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// Messages of every length arrive as they were, whichever way they were written.
func TestFramesOfEveryLength(t *testing.T) {
	t.Parallel()
	received := make(chan []byte, 1)
	server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
		for {
			_, payload, err := ws.ReadMessage()
			if err != nil {
				return
			}
			received <- payload
		}
	})
	tr, p := start(t, Options{Ack: AckPing}), local(t, nil)
	lengths := []int{125, 126, 127, 4096, shortFrame - 1, shortFrame, shortFrame + 1, flushBytes - 1, flushBytes, flushBytes + 1, 65535, 65536, 65537, 300_000}
	for n := range 40 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		payload := strings.Repeat("0123456789abc", n/13+1)[:n]
		deliver(t, tr, message(t, p, server.uri(), payload))
		if got := <-received; string(got) != payload {
			t.Errorf("of %d bytes %d others arrived", n, len(got))
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("hello"), uint32(0x04030201), true)
	f.Add(bytes.Repeat([]byte{1}, 126), uint32(0), false)
	f.Fuzz(func(t *testing.T, payload []byte, key uint32, text bool) {
		payload = payload[:min(len(payload), shortFrame)]
		opcode := byte(websocket.BinaryMessage)
		if text {
			opcode = websocket.TextMessage
		}
		framed := appendFrame([]byte("before"), opcode, key, payload)
		head := framed[len("before"):]
		size := len(head) - len(payload)
		if string(framed[:6]) != "before" || head[0] != finBit|opcode || head[1]&maskBit == 0 || size > headBytes {
			t.Fatalf("the header is %x", head[:size])
		}
		for i, masked := range head[size:] {
			if masked^head[size-4+i%4] != payload[i] {
				t.Fatalf("byte %d is not masked with the key", i)
			}
		}
	})
}

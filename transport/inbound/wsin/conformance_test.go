package wsin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/transport/inbound/wsin"
)

const limit = 64 << 10

func TestConformance(t *testing.T) {
	for _, test := range []struct {
		acks     wsin.Acks
		evidence transport.Evidence
	}{{wsin.AckPing, transport.Acknowledged}, {wsin.AckNone, transport.Written}} {
		t.Run(string(test.acks), func(t *testing.T) {
			inboundtest.Run(t, func(t *testing.T) inboundtest.Harness { return newHarness(t, test.acks) }, inboundtest.Features{
				Streams: true, Evidence: test.evidence, Text: true, MaxMessageBytes: limit,
			})
		})
	}
}

func newHarness(t *testing.T, acks wsin.Acks) inboundtest.Harness {
	t.Helper()
	tr, err := wsin.New("127.0.0.1:0", wsin.Options{MaxMessageBytes: limit, Acks: acks})
	if err != nil {
		t.Fatal(err)
	}
	return inboundtest.Harness{
		Transport: tr,
		Dial:      func(ctx context.Context) (inboundtest.Peer, error) { return dial(ctx, tr.Address(), nil) },
	}
}

// client is a peer that asks for acknowledgements, as package wsout does.
type client struct {
	conn     *websocket.Conn
	sent     int
	pongs    chan string
	received chan inboundtest.Message
	ended    chan struct{} // closed when the reader has ended
	err      error         // why; read after ended
}

func dial(ctx context.Context, uri string, header http.Header) (*client, error) {
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second}
	conn, resp, err := dialer.DialContext(ctx, uri, header)
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("%w: %s", err, resp.Status)
		}
		return nil, err
	}
	c := &client{conn: conn, pongs: make(chan string, 1024), received: make(chan inboundtest.Message, 1024), ended: make(chan struct{})}
	conn.SetPongHandler(func(payload string) error {
		c.pongs <- payload
		return nil
	})
	go c.read()
	return c, nil
}

func (c *client) read() {
	defer close(c.ended)
	for {
		kind, body, err := c.conn.ReadMessage()
		if err != nil {
			c.err = err
			return
		}
		c.received <- inboundtest.Message{Payload: body, Text: kind == websocket.TextMessage}
	}
}

var refusals = map[int]inbound.Refusal{
	websocket.CloseUnsupportedData: inbound.Malformed, websocket.CloseInvalidFramePayloadData: inbound.Malformed,
	websocket.ClosePolicyViolation: inbound.Refused, websocket.CloseMessageTooBig: inbound.TooLarge,
	websocket.CloseTryAgainLater: inbound.Busy, websocket.CloseInternalServerErr: inbound.Failed,
}

func (c *client) Send(ctx context.Context, m inboundtest.Message) (inboundtest.Answer, error) {
	kind := websocket.BinaryMessage
	if m.Text {
		kind = websocket.TextMessage
	}
	c.sent++
	ping := fmt.Sprintf("outrider:%d", c.sent)
	// One that fails has been closed on: why is what the reader has read.
	_ = c.conn.WriteMessage(kind, m.Payload)
	_ = c.conn.WriteControl(websocket.PingMessage, []byte(ping), time.Now().Add(10*time.Second))
	for {
		select {
		case pong := <-c.pongs:
			if pong == ping {
				return inboundtest.Answer{}, nil
			}
		case <-c.ended:
			return c.answer()
		case <-ctx.Done():
			return inboundtest.Answer{}, ctx.Err()
		}
	}
}

// answer is what the peer learns from how the connection ended.
func (c *client) answer() (inboundtest.Answer, error) {
	var closed *websocket.CloseError
	if !errors.As(c.err, &closed) || refusals[closed.Code] == "" {
		return inboundtest.Answer{}, c.err
	}
	return inboundtest.Answer{Refusal: refusals[closed.Code], Text: closed.Text}, nil
}

func (c *client) Receive(ctx context.Context) (inboundtest.Message, error) {
	select {
	case m := <-c.received:
		return m, nil
	default:
	}
	select {
	case m := <-c.received:
		return m, nil
	case <-c.ended:
		select {
		case m := <-c.received:
			return m, nil
		default:
			return inboundtest.Message{}, c.err
		}
	case <-ctx.Done():
		return inboundtest.Message{}, ctx.Err()
	}
}

func (c *client) Close() error {
	deadline := time.Now().Add(time.Second)
	_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), deadline)
	_ = c.conn.SetReadDeadline(deadline)
	<-c.ended
	_ = c.conn.Close()
	return nil
}

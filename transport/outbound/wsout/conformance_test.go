package wsout_test

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
	"github.com/outrider-go/outrider/transport/outbound/wsout"
)

// maxPayload keeps the suite's long payload short enough to be sent.
const maxPayload = 2 << 20

func TestConformance(t *testing.T) {
	for name, test := range map[string]struct {
		options  wsout.Options
		evidence transport.Evidence
	}{
		"no acknowledgement": {wsout.Options{}, transport.Written},
		"pings":              {wsout.Options{Ack: wsout.AckPing}, transport.Acknowledged},
		"four connections":   {wsout.Options{Ack: wsout.AckPing, Connections: 4}, transport.Acknowledged},
		"compressed":         {wsout.Options{Ack: wsout.AckPing, Compression: true}, transport.Acknowledged},
		"single":             {wsout.Options{Mode: wsout.Single}, transport.Written},
		"single, with pings": {wsout.Options{Mode: wsout.Single, Ack: wsout.AckPing}, transport.Acknowledged},
	} {
		t.Run(name, func(t *testing.T) {
			outboundtest.Run(t, func(t *testing.T) outboundtest.Harness { return newHarness(t, test.options) }, outboundtest.Features{
				Evidence: test.evidence, Metadata: true, ID: test.options.Mode == wsout.Single, APIKey: true, Text: true, MaxPayload: maxPayload,
			})
		})
	}
}

// newHarness has one server, whose paths are the peers.
func newHarness(t *testing.T, options wsout.Options) outboundtest.Harness {
	t.Helper()
	options.MaxMessageBytes = maxPayload
	options.CloseTimeout = 100 * time.Millisecond
	options.MaxConnsPerHost = 100
	tr, err := wsout.New(options)
	if err != nil {
		t.Fatal(err)
	}
	received, reached := new(outboundtest.Inbox), new(outboundtest.Inbox)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refusing":
			w.WriteHeader(http.StatusGone)
			return
		case "/failing":
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		ws, err := (&websocket.Upgrader{EnableCompression: true}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.Close() }()
		inbox := received
		if r.URL.Path == "/dropping" {
			inbox = new(outboundtest.Inbox)
		}
		if r.URL.Path == "/hanging" {
			inbox = reached
			ws.SetPingHandler(func(string) error { return nil })
			ws.SetCloseHandler(func(int, string) error { return nil })
		}
		for {
			kind, payload, err := ws.ReadMessage()
			if err != nil {
				break
			}
			inbox.Add(receive(r, kind, payload))
			if r.URL.Path == "/dropping" {
				return
			}
		}
		if inbox == reached {
			_, _ = ws.NetConn().Read(make([]byte, 1)) // until the transport hangs up
		}
	}))
	at := func(uri string) transport.Endpoint {
		endpoint, err := transport.ParseEndpoint(uri)
		if err != nil {
			t.Fatal(err)
		}
		return endpoint
	}
	base := strings.Replace(server.URL, "http", "ws", 1)
	h := outboundtest.Harness{
		Transport: tr,
		Healthy:   at(base + "/healthy"),
		Refusing:  at(base + "/refusing"),
		Failing:   at(base + "/failing"),
		Dropping:  at(base + "/dropping"),
		Down:      at("ws://" + fakepeer.Nobody(t)),
		Received:  received,
		Close:     func() { server.CloseClientConnections(); server.Close() },
	}
	if cmp.Or(options.Ack, wsout.AckNone) != wsout.AckNone { // else nobody waits for the peer
		h.Hanging, h.Reached = at(base+"/hanging"), reached
	}
	return h
}

func receive(r *http.Request, kind int, payload []byte) outboundtest.Received {
	id, _ := transport.ParseID(r.Header.Get("Message-Id"))
	message := outboundtest.Received{
		Payload: payload, Text: kind == websocket.TextMessage, ID: id,
		APIKey: r.Header.Get("X-Api-Key"), Metadata: transport.Metadata{},
	}
	for name := range r.Header {
		message.Metadata[name] = r.Header.Get(name)
	}
	return message
}

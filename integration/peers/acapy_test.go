//go:build unix

package peers

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/wsout"
)

const (
	didcomm  = "application/didcomm-envelope-enc"
	jsonType = "application/json"
)

// answering answers whoever asked for it, as an agent does, and counts what came.
type answering struct {
	mu   sync.Mutex
	came map[string]int
}

func (a *answering) handle(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.came[fmt.Sprintf("%s %s %v %s %s", m.Origin.Scheme, m.ContentType, m.Text, m.Peer, m.Origin.Header["X-Wallet-Id"])]++
	switch {
	case !m.Receipt.DirectResponseRequested():
		return nil, nil
	case m.Text:
		return &inbound.Reply{Payload: []byte(`{"@id":"2"}`), Text: true}, nil
	default:
		return &inbound.Reply{Payload: []byte("packed"), ContentType: didcomm}, nil
	}
}

// TestFromACAPy receives what ACA-Py sends, in the way that it does.
func TestFromACAPy(t *testing.T) {
	t.Parallel()
	var config agent.Config
	config.Profiles = map[string]profile.Options{
		profile.DefaultID: {Inbound: profile.Inbound{Tokens: map[string]transport.Secret{"acapy": transport.NewSecret("key")}}},
		// By its WebSockets it sends no key, and a frame does not say what it is.
		"json": {WireFormat: "json", Inbound: profile.Inbound{Paths: []string{"/json"}}},
	}
	config.Inbound.Listen = []string{"http://127.0.0.1:0", "ws://127.0.0.1:0"}
	handler := &answering{came: map[string]int{}}
	h := run(t, config, handler.handle)
	acapy := startScript(t, "acapy.py", "aiohttp", "send", h.address("http")+"/", h.address("ws")+"/json", "key")
	const text, packed = `{"@id":"2"}`, "packed"
	for _, want := range []said{
		{Name: "packed", Status: http.StatusBadRequest}, // by somebody whom nobody here knows
		{Name: "packed, old", Status: http.StatusBadRequest},
		{Name: "bytes", Status: http.StatusOK},
		{Name: "bytes, with the header", Status: http.StatusOK, Type: didcomm, Body: packed},
		{Name: "json", Status: http.StatusOK},
		{Name: "json, all", Status: http.StatusOK, Type: jsonType, Body: text},
		{Name: "json, thread", Status: http.StatusOK, Type: jsonType, Body: text},
		{Name: "json, none", Status: http.StatusOK},
		{Name: "json, sideways", Status: http.StatusOK},
		{Name: "no json", Status: http.StatusBadRequest},
		{Name: "as long as can be", Status: http.StatusOK},
		{Name: "too long", Status: http.StatusRequestEntityTooLarge},
		{Name: "health", Status: http.StatusOK, Body: "ready: POST a message\n"},
		{Name: "invitation", Status: http.StatusOK, Body: "ready: POST a message\n"},
		{Name: "socket 0"}, {Name: "socket 1"}, {Name: "socket 2"}, {Name: "socket 3"}, {Name: "socket 4"},
		{Name: "socket, bytes"},
		{Name: "socket, all", Body: text},
	} {
		got := acapy.next()
		if want.Status >= http.StatusBadRequest { // what it says is for people
			got.Body, got.Type = "", ""
		}
		if got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	h.stop() // which handles what has come
	for what, want := range map[string]int{
		"http application/octet-stream false token:acapy w1": 3, "http application/json true token:acapy w1": 5, "ws application/json true  w1": 7,
	} {
		if got := handler.came[what]; got != want {
			t.Errorf("%d times %q, want %d: %v", got, what, want, handler.came)
		}
	}
}

// TestToACAPy delivers to an agent that receives as ACA-Py does.
func TestToACAPy(t *testing.T) {
	t.Parallel()
	acapy := startScript(t, "acapy.py", "aiohttp", "agent")
	place := fmt.Sprintf("127.0.0.1:%d/", acapy.next().Port)
	answers := make(chan *inbound.Message, 1)
	config := agent.Config{Profiles: map[string]profile.Options{profile.DefaultID: loopback(profile.Options{
		Settings: map[string]string{wsout.SettingAck: string(wsout.AckPing)},
	})}}
	h := run(t, config, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		answers <- m
		return nil, nil
	})
	const plain, asks = `{"@id": "1"}`, `{"@id": "1", "~transport": {"return_route": "all"}}`
	isText := map[bool]*bool{false: new(bool), true: new(bool)}
	*isText[true] = true
	for _, test := range []struct {
		uri, payload, contentType string
		text                      bool
		want                      said
		answered                  bool
	}{
		{"http://" + place + "#key", "packed", didcomm, false, said{Type: didcomm, Key: "key"}, false},
		{"http://" + place, plain, "", true, said{Type: jsonType}, false},
		{"http://" + place, asks, jsonType, true, said{Type: jsonType}, true},
		{"ws://" + place, plain, "", true, said{}, false},
		{"ws://" + place, plain, "", false, said{}, false},
		{"ws://" + place, asks, "", true, said{}, true},
	} {
		m := outbound.Message{Endpoint: endpoint(t, test.uri), Payload: []byte(test.payload), Text: test.text, ContentType: test.contentType}
		if test.answered {
			m.WireFormat = "json"
		}
		evidence := h.deliver(m)
		if evidence != transport.Acknowledged {
			t.Errorf("%s to %s: the evidence is %v", test.payload, test.uri, evidence)
		}
		got := acapy.next()
		if got.Text == nil || *got.Text != test.text || got.SHA256 != sum([]byte(test.payload)) || !strings.HasPrefix(got.Type, test.want.Type) || got.Key != test.want.Key {
			t.Errorf("%s to %s arrived as %+v", test.payload, test.uri, got)
		}
		if !test.answered {
			continue
		}
		if m := awaited(t, answers); string(m.Payload) != `{"@id": "reply", "~thread": {"thid": "1"}}` {
			t.Errorf("%s to %s was answered with %q", test.payload, test.uri, m.Payload)
		}
	}
	// What it cannot read ends the socket.
	_, err := h.Manager().Send(t.Context(), outbound.Message{
		Endpoint: endpoint(t, "ws://"+place), Payload: []byte("{"), Retry: &outbound.RetryPolicy{MaxAttempts: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.disconnected(); got != strconv.Itoa(websocket.CloseUnsupportedData) {
		t.Errorf("the socket ended with %q", got)
	}
}

package agent

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/outbound"
)

// TestWebSocket sends to a WebSocket peer through the API: the profile's setting
// decides what the delivery proves, and the connection is told of.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	received := make(chan string, 1)
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.Close() }()
		for {
			_, payload, err := ws.ReadMessage()
			if err != nil {
				return
			}
			received <- string(payload)
		}
	}))
	t.Cleanup(peer.Close)
	b := start(t, func(c *Config) {
		c.Profiles = map[string]profile.Options{profile.DefaultID: {Settings: map[string]string{"ws.ack": "ping"}}}
	})
	connected, err := b.agent.Events().Subscribe("transport::connected", event.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	endpoint := strings.Replace(peer.URL, "http", "ws", 1) + "/inbox"
	body := `{"endpoint":"` + endpoint + `#secret","payload":"hello","min_evidence":"acknowledged"}`
	response, err := b.client.Post(b.url+"/v1/messages", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("status %d", response.StatusCode)
	}
	if got := <-received; got != "hello" {
		t.Errorf("the peer got %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	told, err := connected.Wait(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := (outbound.ConnectionEvent{Transport: "ws", Profile: "default", Endpoint: endpoint}); told.Payload != want {
		t.Errorf("told of %+v, want %+v", told.Payload, want)
	}
}

func TestWebSocketConfigIsChecked(t *testing.T) {
	t.Parallel()
	err := Config{
		WS:       WSConfig{Mode: "sheared", Ack: "hope", AckPointer: "id", Connections: -1, MaxConnsPerHost: -1, IdleTimeout: -time.Second, PingInterval: -1},
		Profiles: map[string]profile.Options{"a": {Settings: map[string]string{"ws.close_codes": "12=permanent"}}},
	}.Validate()
	for _, key := range []string{
		"ws.mode: ", "ws.ack: ", "ws.ack_pointer: ", "ws.connections: ", "ws.max_conns_per_host: ", "ws.idle_timeout: ", "ws.ping_interval: ",
		"profiles.a.settings: ",
	} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("no fault of %q in:\n%v", key, err)
		}
	}
}

package httpout_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
)

func TestConformance(t *testing.T) {
	outboundtest.Run(t, newHarness, outboundtest.Features{
		Evidence: transport.Acknowledged, Metadata: true, ID: true, ContentType: true, APIKey: true,
	})
}

// newHarness has one server, whose paths are the peers.
func newHarness(t *testing.T) outboundtest.Harness {
	t.Helper()
	tr, err := httpout.New(httpout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	received, reached := new(outboundtest.Inbox), new(outboundtest.Inbox)
	mux := http.NewServeMux()
	mux.HandleFunc("/healthy", func(w http.ResponseWriter, r *http.Request) {
		received.Add(receive(r))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/refusing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	mux.HandleFunc("/failing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/dropping", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	})
	mux.HandleFunc("/hanging", func(_ http.ResponseWriter, r *http.Request) {
		reached.Add(receive(r))
		<-r.Context().Done() // until the attempt hangs up
	})
	server := httptest.NewServer(mux)
	at := func(uri string) transport.Endpoint {
		endpoint, err := transport.ParseEndpoint(uri)
		if err != nil {
			t.Fatal(err)
		}
		return endpoint
	}
	return outboundtest.Harness{
		Transport: tr,
		Healthy:   at(server.URL + "/healthy"),
		Refusing:  at(server.URL + "/refusing"),
		Failing:   at(server.URL + "/failing"),
		Hanging:   at(server.URL + "/hanging"),
		Dropping:  at(server.URL + "/dropping"),
		Down:      at("http://" + fakepeer.Nobody(t)),
		Received:  received,
		Reached:   reached,
		Close:     server.Close,
	}
}

func receive(r *http.Request) outboundtest.Received {
	payload, _ := io.ReadAll(r.Body)
	id, _ := transport.ParseID(r.Header.Get("Message-Id"))
	message := outboundtest.Received{
		Payload: payload, ContentType: r.Header.Get("Content-Type"), ID: id,
		APIKey: r.Header.Get("X-Api-Key"), Metadata: transport.Metadata{},
	}
	for name := range r.Header {
		message.Metadata[name] = r.Header.Get(name)
	}
	return message
}

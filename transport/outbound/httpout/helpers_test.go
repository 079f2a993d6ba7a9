package httpout

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// start returns a transport that is stopped with the test.
func start(t testing.TB, options Options) *Transport {
	t.Helper()
	tr, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context()) // which ends before the cleanups begin
	if err := tr.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return tr
}

// local returns a profile that may reach this machine.
func local(t testing.TB, options profile.Options) *profile.Profile {
	t.Helper()
	options.Egress.AllowNetworks = append(options.Egress.AllowNetworks, netip.MustParsePrefix("127.0.0.0/8"))
	p, err := profile.New("tenant", options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parse(t testing.TB, uri string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(uri)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// message returns a message with a payload for a URI.
func message(t testing.TB, p *profile.Profile, uri string) *outbound.Message {
	t.Helper()
	return &outbound.Message{
		Endpoint: parse(t, uri), Payload: []byte(`{"hello":"world"}`), Text: true,
		Profile: p, ID: transport.NewID(time.Now()), Attempt: 1,
	}
}

// deliver makes an attempt that must succeed.
func deliver(t testing.TB, tr *Transport, m *outbound.Message) outbound.Receipt {
	t.Helper()
	receipt, err := tr.HandleMessage(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// fail makes an attempt that must not succeed.
func fail(t testing.TB, ctx context.Context, tr *Transport, m *outbound.Message) *outbound.DeliveryError {
	t.Helper()
	receipt, err := tr.HandleMessage(ctx, m)
	fault := faultOf(err)
	if fault == nil {
		t.Fatalf("got %+v and %v, want a DeliveryError", receipt, err)
	}
	return fault
}

// faultOf returns the facts of an error, nil for none.
func faultOf(err error) *outbound.DeliveryError {
	fault, _ := errors.AsType[*outbound.DeliveryError](err)
	return fault
}

// expect checks the facts that decide what becomes of a message.
func expect(t testing.TB, fault *outbound.DeliveryError, class transport.Class, code string, maybeSent bool) {
	t.Helper()
	if fault.Class != class || fault.Code != code || fault.MaybeSent != maybeSent {
		t.Errorf("got class %s, code %s, maybe sent %v (%v), want %s, %s, %v",
			fault.Class, fault.Code, fault.MaybeSent, fault, class, code, maybeSent)
	}
}

// expectLost checks that an attempt without an answer is unknown where anything
// may have been sent, and temporary otherwise.
func expectLost(t testing.TB, fault *outbound.DeliveryError) {
	t.Helper()
	class := transport.Temporary
	if fault.MaybeSent {
		class = transport.Unknown
	}
	expect(t, fault, class, fault.Code, fault.MaybeSent)
}

// receiver is an HTTP server that counts its connections.
type receiver struct {
	*httptest.Server
	connections atomic.Int64
}

// serve answers with handler until the test is over.
func serve(t testing.TB, handler http.HandlerFunc) *receiver {
	t.Helper()
	r := newReceiver(t, handler)
	r.Start()
	t.Cleanup(r.Close)
	return r
}

// newReceiver returns a receiver that is not started.
func newReceiver(t testing.TB, handler http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{Server: httptest.NewUnstartedServer(handler)}
	r.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			r.connections.Add(1)
		}
	}
	return r
}

// ok answers 204.
func ok(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.WriteHeader(http.StatusNoContent)
}

// readRequest reads one request with its body.
func readRequest(in *bufio.Reader) (*http.Request, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return r, err
}

func escape(text string) string { return url.QueryEscape(text) }

func mustAddr(text string) netip.Addr { return netip.MustParseAddr(text) }

// quiet drops what a server logs of handshakes that a test makes fail.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

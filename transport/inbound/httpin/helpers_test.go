package httpin_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/httpin"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
)

// receiver is a transport that is started, and what its handler has got.
type receiver struct {
	*httpin.Transport
	manager *inbound.Manager
	inbox   inboundtest.Inbox
}

// receive starts a transport whose messages are kept and then given to the
// handler, where there is one.
func receive(t *testing.T, handler inbound.Handler, options httpin.Options, more inbound.Options) *receiver {
	t.Helper()
	tr, err := httpin.New("127.0.0.1:0", options)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{Transport: tr, inbox: inboundtest.Inbox{Then: handler}}
	r.manager = inboundtest.Start(t, r.inbox.Handle, more, tr)
	return r
}

func (r *receiver) messages() []*inbound.Message { return r.inbox.All() }

func (r *receiver) hostPort() string { return strings.TrimPrefix(r.Address(), "http://") }

// do makes a request, and returns the answer and its body.
func do(t *testing.T, method, uri, body string, header ...string) (*http.Response, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	return doWith(t, client, method, uri, body, header...)
}

func doWith(t *testing.T, client *http.Client, method, uri, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, uri, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(answer)
}

// raw opens a connection and writes text to it.
func (r *receiver) raw(t *testing.T, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.hostPort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits for what nothing tells of.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited for long until %s", what)
		}
	}
}

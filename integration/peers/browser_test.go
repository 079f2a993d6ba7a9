//go:build unix

package peers

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
)

const chromium = "/usr/bin/chromium"

//go:embed scripts/page.html
var page string

// TestBrowser has a page in Chromium connect, send, receive and close; a page of
// another origin is refused.
func TestBrowser(t *testing.T) {
	t.Parallel()
	needs(t, chromium)
	var h *host
	reports := make(chan []byte, 2)
	site := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			reports <- body
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, strings.ReplaceAll(page, "ADDRESS", h.address("ws"))) // the browser may have gone
	}))
	defer site.Close()
	var config agent.Config
	config.Inbound.Listen, config.Inbound.Subprotocols = []string{"ws://127.0.0.1:0"}, []string{subprotocol}
	config.Inbound.AllowedOrigins = []string{"http://" + site.Listener.Addr().String()}
	sessions := make(chan string, 1)
	proven := make(chan struct{})
	h = run(t, config, func(ctx context.Context, m *inbound.Message) (*inbound.Reply, error) {
		switch string(m.Payload) {
		case "tell me more":
			sessions <- m.Session
			return nil, nil
		case "bye": // the page closes when it is answered
			select {
			case <-proven:
			case <-ctx.Done():
			}
		}
		return echo(ctx, m)
	})
	site.Start()
	browse(t, site.URL+"/")
	if got := report(t, reports); !reflect.DeepEqual(got, map[string]any{"stranger": true, "refused": true}) {
		t.Errorf("a page of another origin: %v", got)
	}
	evidence := h.deliver(outbound.Message{Payload: []byte("more"), Text: true, Session: awaited(t, sessions), SessionOnly: true})
	close(proven)
	if evidence != transport.Acknowledged {
		t.Errorf("what was sent to the page has the evidence %v", evidence)
	}
	want := map[string]any{
		"protocol": subprotocol, "text": "grüße \U0001f426", "bytes": "0,1,254,255", "long": 1_000_000.0, "more": "more",
		"code": 1000.0, "clean": true,
	}
	if got := report(t, reports); !reflect.DeepEqual(got, want) {
		t.Errorf("the page reports\n%v, want\n%v", got, want)
	}
}

// browse opens a page until the test's end.
func browse(t *testing.T, url string) {
	t.Helper()
	home := t.TempDir()
	cmd := command(t, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+home, url)
	cmd.Env = append(os.Environ(), "HOME="+home)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		killGroup(cmd)
		if t.Failed() {
			t.Logf("the browser said: %s", stderr.String())
		}
	})
}

// report is what a page has posted.
func report(t *testing.T, reports <-chan []byte) (facts map[string]any) {
	t.Helper()
	if err := json.Unmarshal(awaited(t, reports), &facts); err != nil {
		t.Fatal(err)
	}
	return facts
}

// awaited returns what comes.
func awaited[T any](t *testing.T, from <-chan T) (value T) {
	t.Helper()
	select {
	case value = <-from:
	case <-time.After(2 * patience): // a browser takes its time on a busy machine
		t.Fatal("what is waited for does not come")
	}
	return value
}

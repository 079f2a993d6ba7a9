//go:build unix

package peers

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/wsout"
)

// libraries are implementations of WebSocket, and the close code with which each
// says that a server goes away.
var libraries = map[string]string{"websockets": "1001", "aiohttp": "1001", "autobahn": "3001"}

// acks are the profiles by what acknowledges their messages, with the path of a
// server that does so and the evidence that this is.
var acks = []struct {
	ack, path string
	want      transport.Evidence
}{
	{"none", "/silent", transport.Written},
	{"ping", "/silent", transport.Acknowledged},
	{"reply", "/ack", transport.Acknowledged},
}

// TestServersOfOthers delivers to them.
func TestServersOfOthers(t *testing.T) {
	t.Parallel()
	for library, code := range libraries {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			server := startScript(t, "server.py", library, subprotocol)
			uri := fmt.Sprintf("ws://127.0.0.1:%d", server.next().Port)
			answers := make(chan *inbound.Message, 1)
			h := run(t, agent.Config{Profiles: acking()}, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
				answers <- m
				return nil, nil
			})
			for _, a := range acks {
				h.deliverEachKind(server, uri+a.path, a.ack, a.want)
			}
			h.takesAnswers(uri+"/echo", answers)
			h.comesBack(server, uri+"/goaway", code)
		})
	}
}

// acking are profiles that want acknowledgements, by the name of these.
func acking() map[string]profile.Options {
	all := map[string]profile.Options{}
	for _, a := range acks {
		all[a.ack] = loopback(profile.Options{Settings: map[string]string{
			wsout.SettingAck: a.ack, wsout.SettingAckPointer: "/ack", wsout.SettingSubprotocols: "other.v9, " + subprotocol,
		}})
	}
	return all
}

// deliverEachKind delivers text and bytes, short and in fragments.
func (h *host) deliverEachKind(server *script, uri, ack string, want transport.Evidence) {
	h.Helper()
	for i, padding := range []string{"", "grüße \U0001f426", strings.Repeat("x", 300<<10)} {
		for _, text := range []bool{true, false} {
			id := fmt.Sprintf("%s-%d-%v", ack, i, text)
			payload := fmt.Appendf(nil, `{"id": %q, "padding": %q}`, id, padding)
			got := h.deliver(outbound.Message{
				Endpoint: endpoint(h.T, uri), Payload: bytes.Clone(payload), Text: text, Profile: h.tenant(ack), IdempotencyKey: id,
			})
			if got != want {
				h.Errorf("%s: the evidence is %v, want %v", id, got, want)
			}
			if seen := server.next(); seen.Text == nil || *seen.Text != text || seen.SHA256 != sum(payload) || seen.Subprotocol != subprotocol {
				h.Errorf("%s arrived as %+v", id, seen)
			}
		}
	}
}

// takesAnswers has the server answer on the connection by which it got a message.
func (h *host) takesAnswers(uri string, answers <-chan *inbound.Message) {
	h.Helper()
	h.deliver(outbound.Message{Endpoint: endpoint(h.T, uri), Payload: []byte("hello"), Text: true, Profile: h.tenant("ping")})
	if m := <-answers; string(m.Payload) != "hello" || !m.Text || m.Profile.ID() != "ping" {
		h.Errorf("the answer is %q for %s", m.Payload, m.Profile.ID())
	}
}

// comesBack has a server close after each message: the next goes by another
// connection. What becomes of the attempt depends on how soon the server does.
func (h *host) comesBack(server *script, uri, code string) {
	h.Helper()
	server.next() // the message that was answered
	for range 2 {
		_, err := h.Manager().Send(h.Context(), outbound.Message{
			Endpoint: endpoint(h.T, uri), Payload: []byte("hello"), Profile: h.tenant("none"), Retry: &outbound.RetryPolicy{MaxAttempts: 1},
		})
		if err != nil {
			h.Fatal(err)
		}
		server.next()
		if got := h.disconnected(); got != code {
			h.Errorf("the connection ended with %q, want %q", got, code)
		}
	}
}

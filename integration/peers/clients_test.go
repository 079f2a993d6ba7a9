//go:build unix

package peers

import (
	"context"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat"
)

// echo answers each message with itself.
func echo(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
	return &inbound.Reply{Payload: m.Payload, Text: m.Text}, nil
}

// TestClientsOfOthers receives from them, answers, and sends them what they did not
// ask for.
func TestClientsOfOthers(t *testing.T) {
	t.Parallel()
	const token = "open sesame"
	for library := range libraries {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			config := agent.Config{Profiles: map[string]profile.Options{profile.DefaultID: {
				Inbound: profile.Inbound{Tokens: map[string]transport.Secret{"peer": transport.NewSecret(token)}},
			}}}
			config.Inbound.Listen, config.Inbound.Subprotocols = []string{"ws://127.0.0.1:0"}, []string{"mine.v1", subprotocol}
			known, tell := context.WithCancel(t.Context())
			defer tell()
			h := run(t, config, func(ctx context.Context, m *inbound.Message) (*inbound.Reply, error) {
				if string(m.Payload) == "bye" { // the client closes when it comes back
					<-known.Done()
				}
				return echo(ctx, m)
			})
			client := startScript(t, "client.py", library, h.address("ws"), subprotocol, token)
			if got := client.next().Subprotocol; got != subprotocol {
				t.Errorf("the sub-protocol is %q", got)
			}
			for _, want := range []string{"text", "empty", "binary", "long", "fragmented text", "fragmented binary"} {
				if got := client.next(); got.Echo != want || !got.Same {
					t.Errorf("%s came back as %+v", want, got)
				}
			}
			evidence := h.deliver(outbound.Message{
				Payload: []byte("hello"), Text: true, Target: wireformat.Target{Recipients: []string{inbound.PrefixToken + "peer"}},
			})
			if evidence != transport.Acknowledged {
				t.Errorf("what was sent to the session has the evidence %v", evidence)
			}
			tell()
			if got := client.next(); got.Text == nil || !*got.Text || got.SHA256 != sum([]byte("hello")) {
				t.Errorf("it arrived as %+v", got)
			}
			if got := client.next(); got.Echo != "bye" || !got.Same {
				t.Errorf("the last message came back as %+v", got)
			}
			for _, want := range []int{websocket.CloseNormalClosure, websocket.CloseMessageTooBig} {
				if got := client.next().Closed; got != want {
					t.Errorf("closed with %d, want %d", got, want)
				}
			}
		})
	}
}

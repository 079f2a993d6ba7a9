//go:build unix

package peers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
)

// subprotocol is what peers and agents agree on.
const subprotocol = "outrider.test"

// host is an agent in the test's process.
type host struct {
	*testing.T
	*agent.Agent
	told *event.Subscription
}

// run runs an agent until the test's end.
func run(t *testing.T, config agent.Config, handler inbound.Handler) *host {
	t.Helper()
	config.Memory, config.API.Listen = true, agent.ListenOff
	a, err := agent.New(config, agent.Options{Handler: handler})
	if err != nil {
		t.Fatal(err)
	}
	told, err := a.Events().Subscribe(".*", event.SubscribeOptions{Buffer: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	h := &host{t, a, told}
	t.Cleanup(h.stop)
	return h
}

// stop stops the agent, which may have been done before.
func (h *host) stop() {
	h.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.Context()), patience)
	defer cancel()
	if _, err := h.Stop(ctx); err != nil {
		h.Error(err)
	}
}

// loopback lets a profile reach this machine.
func loopback(o profile.Options) profile.Options {
	o.Egress.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return o
}

// address is where the agent receives by a scheme.
func (h *host) address(scheme string) string {
	h.Helper()
	for _, address := range h.Inbound().Addresses() {
		if strings.HasPrefix(address, scheme+"://") {
			return address
		}
	}
	h.Fatalf("it does not receive over %s", scheme)
	return ""
}

// tenant returns a profile by its id.
func (h *host) tenant(id string) *profile.Profile {
	h.Helper()
	p, err := h.Profiles().Lookup(h.Context(), id)
	if err != nil {
		h.Fatal(err)
	}
	return p
}

// deliver sends a message, which its first attempt is to deliver, and returns with
// what evidence it did.
func (h *host) deliver(m outbound.Message) transport.Evidence {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), patience)
	defer cancel()
	accepted, err := h.Manager().Send(ctx, m)
	if err != nil {
		h.Fatal(err)
	}
	e := h.await(ctx, func(e event.Event) bool {
		about, ok := e.Payload.(outbound.MessageEvent)
		return ok && about.ID == accepted.ID && (e.Topic == outbound.TopicDelivered || e.Topic == outbound.TopicAttemptFailed)
	})
	about, _ := e.Payload.(outbound.MessageEvent)
	if e.Topic != outbound.TopicDelivered {
		h.Fatalf("an attempt failed: %s, %s", about.Code, about.Error)
	}
	return about.Evidence
}

// disconnected waits until a connection of the agent's is gone, and returns why.
func (h *host) disconnected() string {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), patience)
	defer cancel()
	e := h.await(ctx, func(e event.Event) bool { return e.Topic == outbound.TopicDisconnected })
	about, _ := e.Payload.(outbound.ConnectionEvent)
	return about.Code
}

func (h *host) await(ctx context.Context, match func(event.Event) bool) event.Event {
	h.Helper()
	e, err := h.told.Wait(ctx, match)
	if err != nil {
		h.Fatalf("what is waited for does not happen: %v", err)
	}
	return e
}

func endpoint(t *testing.T, text string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func sum(payload []byte) string {
	hash := sha256.Sum256(payload)
	return hex.EncodeToString(hash[:])
}

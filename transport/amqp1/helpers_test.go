package amqp1

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/egress"
)

// newProfile returns one that may reach this machine.
func newProfile(t testing.TB, options profile.Options) *profile.Profile {
	t.Helper()
	options.Egress.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	p, err := profile.New("tenant", options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newDialer(t testing.TB, options profile.Options) *egress.Dialer {
	t.Helper()
	d, err := egress.New(newProfile(t, options), egress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// startPeer starts a peer that ends with the test.
func startPeer(t testing.TB, options amqppeer.Options) *amqppeer.Peer {
	t.Helper()
	p, err := amqppeer.Listen(t.Context(), "", options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// newContainer returns one that is closed with the test, without leaving anything
// under way.
func newContainer(t testing.TB, options Options) *Container {
	t.Helper()
	c, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), soon)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func remoteOf(t testing.TB, p *amqppeer.Peer) Remote {
	t.Helper()
	return Remote{Dialer: newDialer(t, profile.Options{}), Address: p.Addr()}
}

// newTestSender returns a sender to the address "q" of a peer.
func newTestSender(t testing.TB, p *amqppeer.Peer, options Options, target Target) *Sender {
	t.Helper()
	if target.Address == "" {
		target.Address = "q"
	}
	s, err := newContainer(t, options).Sender(remoteOf(t, p), target)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func text(body string) *Message { return &Message{Data: [][]byte{[]byte(body)}} }

// within returns a context that ends early, so that a test does not hang.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// soon is how long something may take that takes no time.
const soon = 10 * time.Second

// wantFault checks the kind of an error and returns it.
func wantFault(t testing.TB, err, kind error, maybeSent bool) *Error {
	t.Helper()
	fault, ok := errors.AsType[*Error](err)
	if !ok || !errors.Is(err, kind) || fault.MaybeSent != maybeSent {
		t.Fatalf("err = %v (%T), want %v with MaybeSent %t", err, err, kind, maybeSent)
	}
	return fault
}

func wantAccepted(t testing.TB, o Outcome, err error) {
	t.Helper()
	if err != nil || o.State != Accepted {
		t.Fatalf("outcome %v, err %v; want accepted", o.State, err)
	}
}

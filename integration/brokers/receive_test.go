//go:build unix

package brokers

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/amqp1/verbatim"
	"github.com/outrider-go/outrider/transport/egress"
)

// testReceive takes more messages from a queue than there is credit for at once,
// with a receiver of ours, in each of its manners.
func testReceive(t *testing.T, peer *process, address string) {
	t.Helper()
	tenant, err := profile.New(profile.DefaultID, profile.Options{
		Egress: profile.Egress{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	dialer, err := egress.New(tenant, egress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	container, err := amqp1.New(amqp1.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := container.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	for name, source := range map[string]amqp1.Source{
		"ahead":      {Address: address},
		"few ahead":  {Address: address, Credit: 100},
		"one by one": {Address: address, Fetch: true},
	} {
		n := 3000
		if source.Fetch {
			n = 100
		}
		fill(t, peer, address, n)
		receiver, err := container.Receiver(amqp1.Remote{Dialer: dialer, Address: peer.address()}, source)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		for i := range n {
			delivery, err := receiver.Receive(ctx)
			if err != nil {
				t.Errorf("%s: after %d of %d messages: %v", name, i, n, err)
				break
			}
			if err := delivery.Accept(); err != nil {
				t.Errorf("%s: accept: %v", name, err)
				break
			}
		}
		cancel()
		receiver.Close()
	}
}

// fill sends n messages to a queue.
func fill(t *testing.T, peer *process, address string, n int) {
	t.Helper()
	sender, err := session(t, peer.address()).NewSender(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := value.Encode(value.Described{Descriptor: value.ULong(0x77), Value: value.Char('c')})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		receipt, err := sender.SendWithReceipt(t.Context(), verbatim.Message(encoded), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := receipt.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

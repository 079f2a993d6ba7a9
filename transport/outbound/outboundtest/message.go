package outboundtest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// Message returns a message as the manager hands it to a transport: first
// attempt, with an id, of a profile that may reach loopback addresses. A payload
// given as a string is text.
func Message[P string | []byte](t testing.TB, uri string, payload P) *outbound.Message {
	t.Helper()
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		t.Fatal(err)
	}
	loopback, err := loopbackProfile()
	if err != nil {
		t.Fatal(err)
	}
	m := newMessage(endpoint, loopback, []byte(payload))
	if _, text := any(payload).(string); text {
		m.Text, m.ContentType = true, "text/plain; charset=utf-8"
	}
	return m
}

func newMessage(endpoint transport.Endpoint, tenant *profile.Profile, payload []byte) *outbound.Message {
	now := time.Now()
	return &outbound.Message{
		Endpoint: endpoint, Payload: payload, ContentType: "application/octet-stream",
		Profile: tenant, WireFormat: "raw", ID: transport.NewID(now), Attempt: 1, QueuedAt: now,
	}
}

// message returns a message of the bench's profile.
func (b *bench) message(endpoint transport.Endpoint, payload string) *outbound.Message {
	return newMessage(endpoint, b.Profile, []byte(payload))
}

func loopbackProfile() (*profile.Profile, error) {
	return profile.New("outboundtest", profile.Options{Egress: profile.Egress{AllowNetworks: []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8), netip.PrefixFrom(netip.IPv6Loopback(), 128),
	}}})
}

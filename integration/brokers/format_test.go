//go:build unix

package brokers

import (
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/amqp1/verbatim"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/amqpjson"
)

// TestFormat sends each document as a user does: JSON goes in, and the broker gets
// an AMQP value.
func TestFormat(t *testing.T) {
	t.Parallel()
	peer := start(t, protonPeer())
	formats, err := wireformat.NewRegistry(&wireformat.Raw{}, &amqpjson.Format{})
	if err != nil {
		t.Fatal(err)
	}
	d := startDelivery(t, outbound.Options{Formats: formats}, amqpout.Options{}, profile.Options{WireFormat: "amqpjson"})
	endpoint := d.endpoint("amqp://" + peer.address() + "/documents")
	want := map[string]string{} // what is sent, by message-id
	for _, c := range composites(t) {
		accepted, err := d.Send(t.Context(), outbound.Message{Endpoint: endpoint, Payload: c.JSON, Profile: d.tenant})
		if err != nil {
			t.Fatalf("%s: %v", c.JSON, err)
		}
		want[accepted.ID.String()] = c.AMQP
	}
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := openNode(t, peer, "documents")
	for range len(want) {
		received, err := q.receiver.Receive(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := message.Decode(verbatim.Payload(received), value.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := value.Encode(m.Value)
		id, _ := m.Properties.MessageID.(value.String)
		if err != nil || m.Properties.ContentType != nil || string(encoded) != string(unhex(t, want[string(id)])) {
			t.Errorf("%s arrived as %x of type %v, %v; want %s", id, encoded, m.Properties.ContentType, err, want[string(id)])
		}
		delete(want, string(id))
	}
	if len(want) > 0 {
		t.Errorf("%d documents did not arrive", len(want))
	}
}

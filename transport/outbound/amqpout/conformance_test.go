package amqpout_test

import (
	"maps"
	"testing"

	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
)

func TestConformance(t *testing.T) {
	outboundtest.Run(t, newHarness, outboundtest.Features{
		Evidence: transport.Accepted, Metadata: true, ID: true, ContentType: true, APIKey: true,
	})
}

// newHarness has one peer, whose nodes are the peers.
func newHarness(t *testing.T) outboundtest.Harness {
	t.Helper()
	tr, err := amqpout.New(amqpout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	received, reached := new(outboundtest.Inbox), new(outboundtest.Inbox)
	p, err := amqppeer.Listen(t.Context(), "", amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		switch d.Address {
		case "healthy":
			received.Add(receive(t, d))
			amqppeer.Accept(c, d)
		case "refusing":
			amqppeer.Reject(c, d, "amqp:precondition-failed", "never")
		case "failing":
			amqppeer.Release(c, d)
		case "hanging":
			reached.Add(receive(t, d))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	at := func(uri string) transport.Endpoint {
		endpoint, err := transport.ParseEndpoint(uri)
		if err != nil {
			t.Fatal(err)
		}
		return endpoint
	}
	return outboundtest.Harness{
		Transport: tr,
		Healthy:   at("amqp://" + p.Addr() + "/healthy"),
		Refusing:  at("amqp://" + p.Addr() + "/refusing"),
		Failing:   at("amqp://" + p.Addr() + "/failing"),
		Hanging:   at("amqp://" + p.Addr() + "/hanging"),
		Down:      at("amqp://" + fakepeer.Nobody(t) + "/q"),
		Received:  received,
		Reached:   reached,
		Close:     p.Close,
	}
}

// receive reads a message with our own codec.
func receive(t *testing.T, d *amqppeer.Delivery) outboundtest.Received {
	m := decode(t, d)
	got := outboundtest.Received{Metadata: transport.Metadata{}}
	for _, data := range m.Data {
		got.Payload = append(got.Payload, data...)
	}
	if id, ok := m.Properties.MessageID.(value.String); ok {
		got.ID, _ = transport.ParseID(string(id))
	}
	if m.Properties.ContentType != nil {
		got.ContentType = *m.Properties.ContentType
	}
	maps.Copy(got.Metadata, properties(m))
	got.APIKey = got.Metadata["x-api-key"]
	delete(got.Metadata, "x-api-key")
	return got
}

func decode(t *testing.T, d *amqppeer.Delivery) *message.Message {
	m, err := message.Decode(d.Encoded, value.Limits{})
	if err != nil {
		t.Errorf("what arrived is no message: %v", err)
		return &message.Message{Properties: &message.Properties{}}
	}
	return m
}

// properties are the application properties that are text.
func properties(m *message.Message) map[string]string {
	all := map[string]string{}
	for _, entry := range m.ApplicationProperties {
		name, _ := entry.Key.(value.String)
		text, _ := entry.Value.(value.String)
		all[string(name)] = string(text)
	}
	return all
}

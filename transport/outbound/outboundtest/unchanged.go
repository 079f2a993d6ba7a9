package outboundtest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat"
)

// others returns the peers that do not take messages.
func (b *bench) others() []transport.Endpoint {
	peers := []transport.Endpoint{b.Down, b.Refusing, b.Failing, b.Hanging, b.Dropping}
	return slices.DeleteFunc(peers, transport.Endpoint.IsZero)
}

// changesNothing hands over a message with all its fields, and looks whether it
// is the same afterwards, however the attempt ended.
func changesNothing(ctx context.Context, b *bench) error {
	for _, endpoint := range append(b.others(), b.Healthy) {
		given := b.message(endpoint, `{"payload":"as given"}`)
		given.Text = true
		given.Metadata = transport.Metadata{"x-outrider-test": "1"}
		given.Target = wireformat.Target{Recipients: []string{"a"}, Routing: []string{"b"}, Sender: "c"}
		kept := cloneMessage(given)
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		_, err := b.end(b.begin(short, given))
		cancel()
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(given, kept) {
			return fmt.Errorf("an attempt for %v changed its message", endpoint)
		}
	}
	return nil
}

func cloneMessage(m *outbound.Message) *outbound.Message {
	clone := *m
	clone.Payload = slices.Clone(m.Payload)
	clone.Metadata = m.Metadata.Clone()
	clone.Target.Recipients = slices.Clone(m.Target.Recipients)
	clone.Target.Routing = slices.Clone(m.Target.Routing)
	return &clone
}

package cli

import (
	"context"
	"maps"

	"github.com/outrider-go/outrider/internal/receiver"
	"github.com/outrider-go/outrider/transport/inbound"
)

// receivedOf describes a message that came in, as listen prints it.
func receivedOf(m *inbound.Message) receiver.Received {
	headers := map[string]string{}
	maps.Copy(headers, m.Origin.Header)
	maps.Copy(headers, m.Metadata)
	return receiver.Received{
		Scheme: m.Origin.Scheme, Path: m.Origin.Path, Query: m.Origin.Query.Reveal(), Headers: headers,
		ContentType: m.ContentType, Payload: m.Payload, ReceivedAt: m.ReceivedAt, Remote: m.Origin.Remote,
		Session: m.Session,
	}
}

// printer is a handler that has each message printed. One that cannot be printed is
// not taken.
func printer(show func(receiver.Received) error) inbound.Handler {
	return func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		return nil, show(receivedOf(m))
	}
}

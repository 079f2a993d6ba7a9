package agent

import (
	"context"
	"sync"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound/wsout"
	"github.com/outrider-go/outrider/wireformat"
)

// answers is a receiver of what peers send on connections that this side has
// opened to deliver something: on WebSockets, and as the answer to a request. What comes there is for the profile that the
// connection is of. There is nothing to write to: an answer to it goes to the
// peer's endpoint.
type answers struct {
	inbound.Base

	mu   sync.Mutex
	host inbound.Host // nil: it is not started
}

// Scheme implements [inbound.Transport].
func (*answers) Scheme() string { return "answers" }

// Address implements [inbound.Transport]: it listens nowhere.
func (*answers) Address() string { return "" }

// Start implements [inbound.Transport].
func (r *answers) Start(_ context.Context, host inbound.Host) error {
	r.set(host)
	return nil
}

// Stop implements [inbound.Transport].
func (r *answers) Stop(context.Context) error {
	r.set(nil)
	return nil
}

func (r *answers) set(host inbound.Host) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.host = host
}

// receive has a frame handled that a peer sent on a WebSocket.
func (r *answers) receive(ctx context.Context, f wsout.Frame) error {
	return r.take(ctx, f.Endpoint, f.Profile, wireformat.Frame{Text: f.Text, Body: f.Payload})
}

// take has a message handled. The error says that nobody has it: a peer that asks
// for acknowledgements gets none.
func (r *answers) take(ctx context.Context, from transport.Endpoint, p *profile.Profile, f wireformat.Frame) error {
	r.mu.Lock()
	host := r.host
	r.mu.Unlock()
	if host == nil {
		return inbound.ErrStopped
	}
	session, err := host.Open(&inbound.Origin{Scheme: from.Scheme(), Remote: from.Address(), Profile: p}, inbound.SessionOptions{})
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Receive(ctx, f)
}

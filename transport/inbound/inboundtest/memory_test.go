package inboundtest

import (
	"context"
	"maps"
	"testing"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) Harness { return memoryHarness(&Memory{Acknowledge: true}, nil) }, memoryFeatures)
}

var memoryFeatures = Features{
	Streams: true, Evidence: transport.Acknowledged, Metadata: true, ID: true, ContentType: true, Text: true,
}

// memoryHarness connects to a memory; change, where there is one, makes the peers
// misbehave.
func memoryHarness(t *Memory, change func(*memoryPeer)) Harness {
	return Harness{Transport: t, Dial: func(context.Context) (Peer, error) {
		c, err := t.Dial(inbound.Origin{Local: "here:1", Remote: "peer:1"})
		if err != nil {
			return nil, err
		}
		p := &memoryPeer{Conn: c}
		if change != nil {
			change(p)
		}
		return p, nil
	}}
}

// memoryPeer is a connection as the suite wants it.
type memoryPeer struct {
	*Conn
	times   int                     // a message is sent, beyond once
	garble  func(*wireformat.Frame) // what is sent
	hasten  bool                    // the peer is told before the message is handled
	tell    func(err error) Answer  // what the peer is told
	receive func(*Message)          // what comes back
	remains bool                    // the connection does not close
}

// Send implements Peer.
func (p *memoryPeer) Send(ctx context.Context, m Message) (Answer, error) {
	f := wireformat.Frame{ContentType: m.ContentType, Text: m.Text, Body: m.Payload, Header: map[string]string{}}
	maps.Copy(f.Header, m.Metadata)
	if !m.ID.IsZero() {
		f.Header[inbound.HeaderMessageID] = m.ID.String()
	}
	if p.garble != nil {
		p.garble(&f)
	}
	done := make(chan error, 1)
	go func() {
		for range p.times {
			_ = p.Conn.Send(ctx, f)
		}
		done <- p.Conn.Send(ctx, f)
	}()
	if p.hasten {
		return Answer{}, nil
	}
	select {
	case err := <-done:
		if err == nil {
			return Answer{}, nil
		}
		if p.tell != nil {
			return p.tell(err), nil
		}
		return Answer{Refusal: inbound.RefusalOf(err), Text: inbound.RefusalOf(err).Text()}, nil
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

// Receive implements Peer.
func (p *memoryPeer) Receive(ctx context.Context) (Message, error) {
	o, err := p.Conn.Receive(ctx)
	if err != nil {
		return Message{}, err
	}
	got := Message{Payload: o.Frame.Body, Text: o.Frame.Text, ContentType: o.Frame.ContentType, ID: o.ID}
	if p.receive != nil {
		p.receive(&got)
	}
	return got, nil
}

// Close implements Peer.
func (p *memoryPeer) Close() error {
	if !p.remains {
		p.Conn.Close()
	}
	return nil
}

package inboundtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

func writesReplies(ctx context.Context, b *bench) error {
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	for _, sent := range payloads(b.features) {
		want := Message{Payload: sent.bytes, Text: sent.text, ContentType: sent.contentType, ID: transport.NewID(time.Now())}
		b.on(func(context.Context, *inbound.Message) (*inbound.Reply, error) {
			return &inbound.Reply{ID: want.ID, Payload: sent.bytes, Text: sent.text, ContentType: sent.contentType, WireFormat: "raw"}, nil
		})
		if err := b.take(ctx, p, Message{Payload: []byte("x")}); err != nil {
			return fmt.Errorf("%s: %w", sent.name, err)
		}
		if len(sent.bytes) == 0 && !b.features.Streams {
			continue // an answer without a body is none
		}
		if err := b.gets(ctx, p, want); err != nil {
			return fmt.Errorf("%s: %w", sent.name, err)
		}
	}
	return nil
}

// gets waits for a message to come back, and compares it.
func (b *bench) gets(ctx context.Context, p Peer, want Message) error {
	got, err := b.receive(ctx, p)
	if err != nil {
		return err
	}
	if b.features.ID && got.ID != want.ID {
		return fmt.Errorf("the id arrived as %v, want %v", got.ID, want.ID)
	}
	return b.compare(want, got)
}

// deliver delivers to a session.
func (b *bench) deliver(ctx context.Context, session string, m Message) error {
	ctx, cancel := b.patience(ctx)
	defer cancel()
	evidence, err := b.manager.Deliver(ctx, profile.DefaultID, transport.Peer{Session: session}, m.ID, wireformat.Frame{
		Body: m.Payload, Text: m.Text, ContentType: m.ContentType,
	})
	if err == nil && evidence != b.features.Evidence {
		err = fmt.Errorf("the evidence is %v, want %v", evidence, b.features.Evidence)
	}
	return err
}

// delivers: a message for a session arrives; on a stream when the handler has long
// ended, else because the request is held open for it.
func delivers(ctx context.Context, b *bench) error {
	b.on(func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		if !b.manager.Reaches(profile.DefaultID, transport.Peer{Session: m.Session}) {
			return nil, errors.New("the session is not reached while its message is handled")
		}
		return nil, nil
	})
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	want := Message{Payload: []byte(`{"late":true}`), Text: true, ContentType: "application/json", ID: transport.NewID(time.Now())}
	sent := make(chan error, 1)
	go func() { sent <- b.take(ctx, p, Message{Payload: []byte("x")}) }()
	all, err := b.arrived(ctx, 1)
	if err != nil {
		return err
	}
	if b.features.Streams {
		if err := <-sent; err != nil {
			return err
		}
		sent <- nil
	} else if err := b.until(ctx, "the handler has ended", func() bool { return b.handled(1) }); err != nil {
		return err
	}
	if err := b.deliver(ctx, all[0].Session, want); err != nil {
		return fmt.Errorf("the delivery: %w", err)
	}
	if err := <-sent; err != nil {
		return err
	}
	return b.gets(ctx, p, want)
}

// handled reports whether that many messages have been handled to the end.
func (b *bench) handled(n int) bool {
	total := int64(0)
	for _, s := range b.manager.Sessions() {
		total += s.Received
	}
	return total >= int64(n)
}

// deliversWhileHandling: a handler may have something delivered to the session
// whose message it handles, before it returns.
func deliversWhileHandling(ctx context.Context, b *bench) error {
	want := Message{Payload: []byte(`{"early":true}`), Text: true, ContentType: "application/json", ID: transport.NewID(time.Now())}
	delivered := make(chan error, 1)
	b.on(func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		go func() { delivered <- b.deliver(ctx, m.Session, want) }()
		return nil, b.until(ctx, "the message is queued or written", func() bool {
			all := b.manager.Sessions()
			return len(all) == 1 && all[0].Queued+int(all[0].Sent) > 0
		})
	})
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	if err := b.take(ctx, p, Message{Payload: []byte("x")}); err != nil {
		return err
	}
	if err := <-delivered; err != nil {
		return fmt.Errorf("the delivery: %w", err)
	}
	return b.gets(ctx, p, want)
}

// knowsThatThePeerHasGone: the session closes, and is not delivered to.
func knowsThatThePeerHasGone(ctx context.Context, b *bench) error {
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	if err := b.take(ctx, p, Message{Payload: []byte("x")}); err != nil {
		return err
	}
	all, err := b.arrived(ctx, 1)
	if err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return fmt.Errorf("Close: %w", err)
	}
	if err := b.noSessions(ctx); err != nil {
		return err
	}
	if err := b.deliver(ctx, all[0].Session, Message{Payload: []byte("x")}); !errors.Is(err, transport.ErrSessionGone) {
		return fmt.Errorf("a delivery to it: %w, want transport.ErrSessionGone", err)
	}
	return nil
}

// handlesWhatAPeerLeft: a message that has arrived is handled, though its peer
// goes meanwhile, and the reply is not lost.
func handlesWhatAPeerLeft(ctx context.Context, b *bench) error {
	gone := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(gone) })
	defer letGo()
	b.on(func(ctx context.Context, _ *inbound.Message) (*inbound.Reply, error) {
		<-gone
		return &inbound.Reply{Payload: []byte("too late")}, ctx.Err()
	})
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	sending, hangUp := context.WithCancel(ctx)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = b.send(sending, p, Message{Payload: []byte("x")}) // it is not told
	}()
	_, err = b.arrived(ctx, 1)
	hangUp()
	_ = p.Close() // in the middle of something
	<-sent
	if err == nil {
		err = b.peerGone(ctx)
	}
	letGo()
	if err != nil {
		return err
	}
	select {
	case <-b.unsent:
		return nil
	case <-time.After(b.features.Patience):
		return errors.New("the reply was neither written nor said to be unsent")
	}
}

// peerGone waits until the transport has had time to see that the peer has gone:
// there is nothing that tells, where the session stays open for its handler.
func (b *bench) peerGone(ctx context.Context) error {
	select {
	case <-time.After(100 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closesSessions: an operator's wish ends the connection.
func closesSessions(ctx context.Context, b *bench) error {
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	if err := b.take(ctx, p, Message{Payload: []byte("x")}); err != nil {
		return err
	}
	all := b.manager.Sessions()
	if len(all) != 1 {
		return fmt.Errorf("there are %d sessions, want 1", len(all))
	}
	if err := b.manager.CloseSession(all[0].ID); err != nil {
		return err
	}
	if err := b.noSessions(ctx); err != nil {
		return err
	}
	if m, err := b.receive(ctx, p); err == nil {
		return fmt.Errorf("the peer gets %q on a connection that was ended", m.Payload)
	}
	return p.Close()
}

package inboundtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
)

// Harness is a transport and a way to connect to it, made for one case.
type Harness struct {
	// Transport is the one under test. It is not started, and takes messages of
	// Features.MaxMessageBytes at most, if that is set.
	Transport inbound.Transport
	// Dial connects to the transport, once it is started.
	Dial func(ctx context.Context) (Peer, error)
	// Close ends what the harness itself has open. It is called when the transport
	// has been stopped. Default: there is nothing to end.
	Close func()
}

// Peer is somebody who has connected.
type Peer interface {
	// Send sends a message, and returns what the peer is told of it. Where answers
	// carry messages, such a message is kept for Receive.
	Send(ctx context.Context, m Message) (Answer, error)
	// Receive returns the next message that has come back.
	Receive(ctx context.Context) (Message, error)
	// Close ends the connection, and returns when the peer has nothing of it left.
	Close() error
}

// Message is one as a peer sends or sees it. What the transport does not carry
// stays empty.
type Message struct {
	Payload     []byte
	Text        bool
	ContentType string
	Metadata    transport.Metadata
	ID          transport.ID
}

// Answer is what a peer is told of a message.
type Answer struct {
	// Refusal is why the message was not taken; empty: it was.
	Refusal inbound.Refusal
	// Text is all that the peer has read beside messages: headers, reasons, bodies
	// of errors.
	Text string
}

// Features say what the transport under test can do.
type Features struct {
	// Streams says that a connection takes any number of messages both ways.
	// Otherwise each Send is a session that can be answered once.
	Streams bool
	// Evidence of a message that was delivered to a peer that reads. Required.
	Evidence transport.Evidence
	// Metadata, ID, ContentType and Text arrive with a message, both ways.
	Metadata, ID, ContentType, Text bool
	// MaxMessageBytes is the limit the harness has set. Default: none is tried.
	MaxMessageBytes int
	// Patience is how long a case waits for what must happen. Default: 10 s.
	Patience time.Duration
}

// bench is where a case works: a harness, a manager, and a handler that does what
// the case wants.
type bench struct {
	Harness
	features Features
	manager  *inbound.Manager
	cancel   context.CancelFunc
	inbox    Inbox
	unsent   chan *inbound.Reply
}

func newBench(ctx context.Context, h Harness, features Features) (*bench, error) {
	if h.Transport == nil || h.Dial == nil {
		return nil, errors.New("inboundtest: a harness needs Transport and Dial")
	}
	b := &bench{Harness: h, features: features, unsent: make(chan *inbound.Reply, 64)}
	m, err := inbound.New(b.inbox.Handle, inbound.Options{
		ReplyWait: features.Patience,
		Tenants:   inbound.TenantsFunc(byMetadata),
		Unsent: func(_ context.Context, _ *inbound.Message, r *inbound.Reply) error {
			b.unsent <- r
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	b.manager = m
	if err := m.Register(h.Transport); err != nil {
		return nil, err
	}
	ctx, b.cancel = context.WithCancel(ctx)
	return b, m.Start(ctx)
}

// on sets what the handler does.
func (b *bench) on(handler inbound.Handler) { b.inbox.Do(handler) }

// arrived waits until n messages in all have reached the handler.
func (b *bench) arrived(ctx context.Context, n int) ([]*inbound.Message, error) {
	ctx, cancel := b.patience(ctx)
	defer cancel()
	return b.inbox.Wait(ctx, n)
}

func (b *bench) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, b.features.Patience)
}

// dial connects.
func (b *bench) dial(ctx context.Context) (Peer, error) {
	ctx, cancel := b.patience(ctx)
	defer cancel()
	p, err := b.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("Dial: %w", err)
	}
	return p, nil
}

// send sends a message that must be answered.
func (b *bench) send(ctx context.Context, p Peer, m Message) (Answer, error) {
	ctx, cancel := b.patience(ctx)
	defer cancel()
	answer, err := p.Send(ctx, m)
	if err != nil {
		err = fmt.Errorf("Send: %w", err)
	}
	return answer, err
}

// take sends a message that must be taken.
func (b *bench) take(ctx context.Context, p Peer, m Message) error {
	answer, err := b.send(ctx, p, m)
	if err == nil && answer.Refusal != "" {
		err = fmt.Errorf("the message was refused: %s: %s", answer.Refusal, answer.Text)
	}
	return err
}

// receive returns the next message that came back to a peer.
func (b *bench) receive(ctx context.Context, p Peer) (Message, error) {
	ctx, cancel := b.patience(ctx)
	defer cancel()
	m, err := p.Receive(ctx)
	if err != nil {
		err = fmt.Errorf("Receive: %w", err)
	}
	return m, err
}

// noSessions waits until every session is closed.
func (b *bench) noSessions(ctx context.Context) error {
	return b.until(ctx, "the sessions close", func() bool { return len(b.manager.Sessions()) == 0 })
}

// until waits for what nothing tells of.
func (b *bench) until(ctx context.Context, what string, done func() bool) error {
	ctx, cancel := b.patience(ctx)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// stop stops the manager, and with it the transport.
func (b *bench) stop(ctx context.Context) error {
	ctx, cancel := b.patience(ctx)
	defer cancel()
	if err := b.manager.Stop(ctx); err != nil {
		return fmt.Errorf("Stop: %w", err)
	}
	return nil
}

// close ends everything, also where the case has failed.
func (b *bench) close(ctx context.Context) {
	b.cancel()
	_ = b.stop(ctx) // a case that cares has stopped it before
	if b.Close != nil {
		b.Close()
	}
}

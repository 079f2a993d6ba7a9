package inboundtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/outrider-go/outrider/transport/inbound"
)

func startsAndStops(ctx context.Context, b *bench) error {
	if err := b.Transport.Start(ctx, nil); err == nil {
		return errors.New("a second Start succeeds: return transport.ErrStarted")
	}
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	if err := b.take(ctx, p, Message{Payload: []byte("on time")}); err != nil {
		return err
	}
	for range 2 {
		if err := b.stop(ctx); err != nil {
			return err
		}
		short, cancel := b.patience(ctx)
		err := b.Transport.Stop(short)
		cancel()
		if err != nil {
			return fmt.Errorf("Stop again: %w", err)
		}
	}
	if late, err := b.dial(ctx); err == nil {
		if _, err := b.send(ctx, late, Message{Payload: []byte("late")}); err == nil {
			return errors.New("a message is answered after Stop")
		}
		_ = late.Close()
	}
	if b.Transport.Address() != "" {
		return errors.New("it has an address after Stop")
	}
	return p.Close()
}

func givesEverythingBack(ctx context.Context, b *bench) error {
	b.on(func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		return &inbound.Reply{Payload: []byte("reply")}, nil
	})
	var left []Peer
	for i := range 8 {
		p, err := b.dial(ctx)
		if err != nil {
			return err
		}
		for range 3 {
			if err := b.take(ctx, p, Message{Payload: []byte("x")}); err != nil {
				return err
			}
			if _, err := b.receive(ctx, p); err != nil {
				return err
			}
		}
		if i%2 == 0 {
			if err := p.Close(); err != nil {
				return fmt.Errorf("Close: %w", err)
			}
			continue
		}
		left = append(left, p)
	}
	err := b.stop(ctx)
	for _, p := range left {
		_ = p.Close() // the transport has ended it
	}
	return err
}

// endsOnHardStop: cancelling Start's context ends handlers and connections.
func endsOnHardStop(ctx context.Context, b *bench) error {
	ended := make(chan struct{})
	b.on(func(ctx context.Context, _ *inbound.Message) (*inbound.Reply, error) {
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // the transport has ended it
	sent := make(chan error, 1)
	go func() {
		answer, err := b.send(ctx, p, Message{Payload: []byte("hang")})
		if err == nil && answer.Refusal == "" {
			sent <- errors.New("a message whose handler was cut short is taken")
			return
		}
		sent <- nil
	}()
	if _, err := b.arrived(ctx, 1); err != nil {
		return err
	}
	b.cancel()
	if err := wait(ctx, b, ended, "the handler's context ends"); err != nil {
		return err
	}
	if err := <-sent; err != nil {
		return err
	}
	return b.stop(ctx)
}

// stopWaitsForHandlers: what is being handled is answered.
func stopWaitsForHandlers(ctx context.Context, b *bench) error {
	release := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	b.on(func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		<-release
		return &inbound.Reply{Payload: []byte("reply")}, nil
	})
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // the transport may have ended it
	sent, stopped := make(chan error, 1), make(chan error, 1)
	go func() { sent <- b.take(ctx, p, Message{Payload: []byte("x")}) }()
	if _, err := b.arrived(ctx, 1); err != nil {
		return err
	}
	go func() { // not by the manager, which waits itself
		ctx, cancel := b.patience(ctx)
		defer cancel()
		stopped <- b.Transport.Stop(ctx)
	}()
	select {
	case err := <-stopped:
		return fmt.Errorf("Stop returned while a message was being handled: %w", err)
	case <-time.After(50 * time.Millisecond):
	}
	letGo()
	if err := errors.Join(<-sent, <-stopped, b.stop(ctx)); err != nil {
		return err
	}
	m, err := b.receive(ctx, p)
	if err != nil {
		return fmt.Errorf("the reply of a handler that was at work when Stop was called: %w", err)
	}
	if string(m.Payload) != "reply" {
		return fmt.Errorf("the reply is %q", m.Payload)
	}
	return nil
}

// stopIsBounded: Stop's context bounds its wait, and it can be called again.
func stopIsBounded(ctx context.Context, b *bench) error {
	release := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	b.on(func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		<-release
		return nil, nil
	})
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // the transport may have ended it
	sent := make(chan error, 1)
	go func() { sent <- b.take(ctx, p, Message{Payload: []byte("x")}) }()
	if _, err := b.arrived(ctx, 1); err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	err = b.manager.Stop(short)
	cancel()
	letGo()
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("Stop while a message is being handled: %w, want the context's error", err)
	}
	return errors.Join(b.stop(ctx), <-sent)
}

func wait(ctx context.Context, b *bench, done <-chan struct{}, what string) error {
	ctx, cancel := b.patience(ctx)
	defer cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
	}
}

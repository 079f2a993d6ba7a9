package outboundtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// Harness is a transport and the peers it talks to, made for one case. Endpoints
// that are zero stand for peers that cannot be had; their cases are skipped.
type Harness struct {
	// Transport is the one under test. It is not started.
	Transport outbound.Transport
	// Healthy takes every message and adds it to Received. Required.
	Healthy transport.Endpoint
	// Down is where nothing listens. Required.
	Down transport.Endpoint
	// Refusing refuses every message for good.
	Refusing transport.Endpoint
	// Failing fails every message for now.
	Failing transport.Endpoint
	// Hanging takes messages and never answers.
	Hanging transport.Endpoint
	// Dropping takes messages, and hangs up in the place of an answer.
	Dropping transport.Endpoint
	// Received is what Healthy got. Required.
	Received *Inbox
	// Reached is what Hanging got. Default: it cannot tell.
	Reached *Inbox
	// Profile is the messages' own. Default: one that may reach loopback
	// addresses.
	Profile *profile.Profile
	// Close ends the peers. It is called when the transport has been stopped.
	// Default: there is nothing to end.
	Close func()
}

// bench is where a case works: a harness and helpers that give up after a while.
type bench struct {
	Harness
	features Features
}

func newBench(h Harness, features Features) (*bench, error) {
	if h.Transport == nil || h.Healthy.IsZero() || h.Down.IsZero() || h.Received == nil {
		return nil, errors.New("outboundtest: a harness needs Transport, Healthy, Down and Received")
	}
	if h.Profile == nil {
		loopback, err := loopbackProfile()
		if err != nil {
			return nil, err
		}
		h.Profile = loopback
	}
	return &bench{h, features}, nil
}

func (b *bench) close() {
	if b.Close != nil {
		b.Close()
	}
}

// outcome is what HandleMessage returned.
type outcome struct {
	receipt outbound.Receipt
	err     error
}

var errTooSlow = errors.New("it did not return in time")

// begin makes an attempt in a goroutine of its own.
func (b *bench) begin(ctx context.Context, m *outbound.Message) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		receipt, err := b.Transport.HandleMessage(ctx, m)
		done <- outcome{receipt, err}
	}()
	return done
}

// end waits for an attempt.
func (b *bench) end(attempt <-chan outcome) (outcome, error) {
	return await(attempt, b.features.Patience, "HandleMessage")
}

// attempt makes one that has all the time it needs.
func (b *bench) attempt(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, b.features.Patience)
	defer cancel()
	done, err := b.end(b.begin(ctx, m))
	if err != nil {
		return outbound.Receipt{}, err
	}
	return done.receipt, done.err
}

// deliver sends a message to the healthy peer, which must get it.
func (b *bench) deliver(ctx context.Context, m *outbound.Message) error {
	receipt, err := b.attempt(ctx, m)
	if err != nil {
		return fmt.Errorf("the healthy peer: %w", err)
	}
	if receipt.Evidence < b.features.Evidence {
		return fmt.Errorf("the evidence is %v, want %v", receipt.Evidence, b.features.Evidence)
	}
	if limiter, ok := b.Transport.(outbound.EvidenceLimiter); ok && receipt.Evidence > limiter.MaxEvidence() {
		return fmt.Errorf("the evidence is %v, and MaxEvidence says %v at most", receipt.Evidence, limiter.MaxEvidence())
	}
	return nil
}

// stop stops the transport within the case's patience.
func (b *bench) stop(ctx context.Context) error {
	if err := b.stopWithin(ctx, b.features.Patience); err != nil {
		return fmt.Errorf("Stop: %w", err)
	}
	return nil
}

// stopWithin calls Stop with a deadline, and returns what it returns.
func (b *bench) stopWithin(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- b.Transport.Stop(ctx) }()
	stopped, err := await(done, limit+b.features.Patience, "Stop")
	return errors.Join(stopped, err)
}

func await[T any](done <-chan T, patience time.Duration, what string) (T, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case value := <-done:
		return value, nil
	case <-timer.C:
		var none T
		return none, fmt.Errorf("%s: %w", what, errTooSlow)
	}
}

// received waits until the healthy peer has got n messages in all.
func (b *bench) received(ctx context.Context, n int) ([]Received, error) {
	return b.Received.waitFor(ctx, n, b.features.Patience)
}

package outboundtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/transport/outbound"
)

func startsAndStops(ctx context.Context, b *bench) error {
	if err := b.stop(ctx); err != nil {
		return fmt.Errorf("before Start: %w", err)
	}
	if _, err := b.attempt(ctx, b.message(b.Healthy, "early")); err == nil {
		return errors.New("HandleMessage before Start succeeds")
	}
	start, hardStop := context.WithCancel(ctx)
	defer hardStop()
	if err := b.Transport.Start(start); err != nil {
		return fmt.Errorf("Start: %w", err)
	}
	if err := b.Transport.Start(start); err == nil {
		return errors.New("a second Start succeeds: return transport.ErrStarted")
	}
	if err := b.deliver(ctx, b.message(b.Healthy, "on time")); err != nil {
		return err
	}
	for range 2 {
		if err := b.stop(ctx); err != nil {
			return err
		}
	}
	if _, err := b.attempt(ctx, b.message(b.Healthy, "late")); err == nil {
		return errors.New("HandleMessage after Stop succeeds")
	}
	all, err := b.received(ctx, 1)
	if err == nil && (len(all) != 1 || string(all[0].Payload) != "on time") {
		err = fmt.Errorf("%d messages arrived, want the one sent between Start and Stop", len(all))
	}
	return err
}

// givesEverythingBack uses all that may start goroutines; the suite counts them
// before and after.
func givesEverythingBack(ctx context.Context, b *bench) error {
	start, hardStop := context.WithCancel(ctx)
	defer hardStop()
	if err := b.Transport.Start(start); err != nil {
		return fmt.Errorf("Start: %w", err)
	}
	for range 3 {
		if err := b.deliver(ctx, b.message(b.Healthy, "x")); err != nil {
			return err
		}
		for _, endpoint := range b.others() {
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			_, err := b.end(b.begin(short, b.message(endpoint, "x")))
			cancel()
			if err != nil {
				return err
			}
		}
	}
	return b.stop(ctx)
}

// endsOnHardStop: cancelling Start's context ends an attempt that hangs.
func endsOnHardStop(ctx context.Context, b *bench) error {
	start, hardStop := context.WithCancel(ctx)
	defer hardStop()
	attempt, err := b.hang(ctx, start)
	if err != nil {
		return err
	}
	hardStop()
	done, err := b.end(attempt)
	if err != nil {
		return fmt.Errorf("after the context of Start ended: %w", err)
	}
	if done.err == nil {
		return errors.New("an attempt without an answer succeeds")
	}
	return b.stop(ctx)
}

// stopsDuringAnAttempt: Stop's context bounds its wait, and it can be called
// again.
func stopsDuringAnAttempt(ctx context.Context, b *bench) error {
	start, hardStop := context.WithCancel(ctx)
	defer hardStop()
	during, cancel := context.WithCancel(ctx)
	defer cancel()
	attempt, err := b.hang(during, start)
	if err != nil {
		return err
	}
	if err := b.stopWithin(ctx, 50*time.Millisecond); errors.Is(err, errTooSlow) {
		return fmt.Errorf("an attempt is under way: %w", err) // any other error is as good as none
	}
	cancel()
	done, err := b.end(attempt)
	if err != nil {
		return err
	}
	if done.err == nil {
		return errors.New("an attempt without an answer succeeds")
	}
	return b.stop(ctx)
}

// hang starts the transport and an attempt that the hanging peer has got.
func (b *bench) hang(ctx, start context.Context) (<-chan outcome, error) {
	if err := b.Transport.Start(start); err != nil {
		return nil, fmt.Errorf("Start: %w", err)
	}
	return b.beginHanging(ctx, b.message(b.Hanging, "hang"))
}

// beginHanging makes an attempt that the hanging peer has got.
func (b *bench) beginHanging(ctx context.Context, m *outbound.Message) (<-chan outcome, error) {
	before, err := b.Reached.Wait(ctx, 0)
	if err != nil {
		return nil, err
	}
	attempt := b.begin(ctx, m)
	if _, err := b.Reached.waitFor(ctx, len(before)+1, b.features.Patience); err != nil {
		return nil, fmt.Errorf("the hanging peer: %w", err)
	}
	return attempt, nil
}

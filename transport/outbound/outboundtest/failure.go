package outboundtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// facts returns what an attempt's error says, and what is wrong with it.
func facts(m *outbound.Message, err error, classes ...transport.Class) (*outbound.DeliveryError, error) {
	var delivery *outbound.DeliveryError
	switch {
	case err == nil:
		return nil, errors.New("the attempt succeeds")
	case !errors.As(err, &delivery):
		return nil, fmt.Errorf("the error is no *outbound.DeliveryError: %w", err)
	case !errors.Is(err, outbound.ErrDelivery):
		return nil, fmt.Errorf("the error does not wrap outbound.ErrDelivery: %w", err)
	case delivery.Transport == "":
		return nil, fmt.Errorf("the error does not name the transport: %w", err)
	case delivery.Endpoint.String() != m.Endpoint.String():
		return nil, fmt.Errorf("the error's endpoint is %q, want %q", delivery.Endpoint, m.Endpoint)
	case !slices.Contains(classes, delivery.Class):
		return nil, fmt.Errorf("the error's class is %q, want one of %q: %w", delivery.Class, classes, err)
	case delivery.Class == transport.Unknown && !delivery.MaybeSent:
		return nil, fmt.Errorf("the error's class is unknown, so MaybeSent must be true: %w", err)
	}
	return delivery, nil
}

func classifiesRefusal(ctx context.Context, b *bench) error {
	m := b.message(b.Refusing, "refused")
	_, err := b.attempt(ctx, m)
	_, fault := facts(m, err, transport.Permanent)
	return fault
}

func classifiesFailure(ctx context.Context, b *bench) error {
	m := b.message(b.Failing, "failed")
	_, err := b.attempt(ctx, m)
	_, fault := facts(m, err, transport.Temporary, transport.Throttled)
	return fault
}

// claimsNothingOfDropped: a peer that hung up in the place of an answer may have
// the message. An attempt that succeeds with it says that it was written, and no
// more.
func claimsNothingOfDropped(ctx context.Context, b *bench) error {
	m := b.message(b.Dropping, "dropped")
	receipt, err := b.attempt(ctx, m)
	if err == nil {
		if receipt.Evidence > transport.Written {
			return fmt.Errorf("the peer hung up without an answer, and the evidence is %v", receipt.Evidence)
		}
		return nil
	}
	_, fault := facts(m, err, transport.Unknown)
	return fault
}

// classifiesDown: where nothing listens, nothing was sent, and later there may
// be somebody.
func classifiesDown(ctx context.Context, b *bench) error {
	m := b.message(b.Down, "to nobody")
	_, err := b.attempt(ctx, m)
	delivery, fault := facts(m, err, transport.Temporary)
	if fault == nil && delivery.MaybeSent {
		fault = errors.New("nothing listens, and MaybeSent is true")
	}
	return fault
}

// refusesForeignEndpoints: what a transport will never reach is refused for
// good, and nothing panics.
func refusesForeignEndpoints(ctx context.Context, b *bench) error {
	foreign, err := transport.ParseEndpoint("x-outrider-foreign://host/path")
	if err != nil {
		return err
	}
	for _, endpoint := range []transport.Endpoint{foreign, {}} {
		m := b.message(endpoint, "to nowhere")
		_, err := b.attempt(ctx, m)
		delivery, fault := facts(m, err, transport.Permanent)
		if fault == nil && delivery.MaybeSent {
			fault = errors.New("MaybeSent is true")
		}
		if fault != nil {
			return fmt.Errorf("endpoint %q: %w", endpoint, fault)
		}
	}
	return nil
}

// refusesLongPayload: no later attempt could succeed, so nothing is sent.
func refusesLongPayload(ctx context.Context, b *bench) error {
	m := newMessage(b.Healthy, b.Profile, make([]byte, b.features.MaxPayload+1))
	_, err := b.attempt(ctx, m)
	delivery, fault := facts(m, err, transport.Permanent)
	if fault == nil && delivery.MaybeSent {
		fault = errors.New("the payload is too long to be sent, and MaybeSent is true")
	}
	return fault
}

// sendsNothingWhenCancelled: a message whose time was over must not overtake the
// one that is sent after it.
func sendsNothingWhenCancelled(ctx context.Context, b *bench) error {
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	m := b.message(b.Healthy, "too late")
	done, err := b.end(b.begin(cancelled, m))
	if err != nil {
		return err
	}
	delivery, err := facts(m, done.err, transport.Temporary)
	if err != nil {
		return err
	}
	if delivery.MaybeSent {
		return errors.New("the context had ended before the call, and MaybeSent is true")
	}
	if !errors.Is(done.err, context.Canceled) {
		return fmt.Errorf("the error does not wrap context.Canceled: %w", done.err)
	}
	if err := b.deliver(ctx, b.message(b.Healthy, "on time")); err != nil {
		return err
	}
	all, err := b.received(ctx, 1)
	if err == nil && string(all[0].Payload) != "on time" {
		err = fmt.Errorf("message %q arrived, of which nothing was to be sent", all[0].Payload)
	}
	return err
}

func endsWhenCancelled(ctx context.Context, b *bench) error {
	during, cancel := context.WithCancel(ctx)
	defer cancel()
	m := b.message(b.Hanging, "hang")
	attempt, err := b.beginHanging(during, m)
	if err != nil {
		return err
	}
	cancel()
	done, err := b.end(attempt)
	if err != nil {
		return err
	}
	delivery, fault := facts(m, done.err, transport.Unknown, transport.Temporary)
	if fault == nil && !delivery.MaybeSent {
		fault = errors.New("the peer has got the message, and MaybeSent is false")
	}
	return fault
}

func endsAtDeadline(ctx context.Context, b *bench) error {
	during, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	m := b.message(b.Hanging, "hang")
	done, err := b.end(b.begin(during, m))
	if err != nil {
		return err
	}
	_, fault := facts(m, done.err, transport.Unknown, transport.Temporary)
	if fault == nil && during.Err() == nil {
		fault = fmt.Errorf("the attempt ends before its deadline: %w", done.err)
	}
	return fault
}

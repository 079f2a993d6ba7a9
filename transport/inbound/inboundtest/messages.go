package inboundtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

// byMetadata knows nobody whose message begins with "for nobody".
func byMetadata(_ context.Context, _ *inbound.Origin, f *wireformat.Frame) (inbound.Tenant, error) {
	if bytes.HasPrefix(f.Body, []byte("for nobody")) {
		return inbound.Tenant{}, inbound.ErrUnknownRecipient
	}
	return inbound.Tenant{Profile: profile.Default()}, nil
}

func describesItself(ctx context.Context, b *bench) error {
	scheme, address := b.Transport.Scheme(), b.Transport.Address()
	if u, err := url.Parse(address); err != nil || u.Scheme != scheme || u.Host == "" {
		return fmt.Errorf("the address %q is no URL of scheme %q", address, scheme)
	}
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	if err := b.take(ctx, p, Message{Payload: []byte("x")}); err != nil {
		return err
	}
	all, err := b.arrived(ctx, 1)
	if err == nil && all[0].Origin.Scheme != scheme {
		err = fmt.Errorf("the origin's scheme is %q, want %q", all[0].Origin.Scheme, scheme)
	}
	return err
}

func counts(ctx context.Context, b *bench) error {
	collected, ok := b.Transport.(inbound.Collected)
	if !ok || collected.Collector() == nil {
		return errors.New("the transport has no collector: embed inbound.Base")
	}
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	if err := b.take(ctx, p, Message{Payload: []byte("counted")}); err != nil {
		return err
	}
	if _, err := b.send(ctx, p, Message{Payload: []byte("for nobody")}); err != nil {
		return err
	}
	s := collected.Collector().Snapshot()
	if want := int64(len("counted") + len("for nobody")); s.BytesReceived != want {
		return fmt.Errorf("%d bytes are counted, want %d", s.BytesReceived, want)
	}
	if n := s.Errors[string(inbound.UnknownRecipient)]; n != 1 {
		return fmt.Errorf("the counted refusals are %v, want one %s", s.Errors, inbound.UnknownRecipient)
	}
	return nil
}

type payload struct {
	name        string
	text        bool
	contentType string
	bytes       []byte
}

func payloads(f Features) []payload {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	long := 1 << 20
	if f.MaxMessageBytes > 0 {
		long = min(long, f.MaxMessageBytes)
	}
	return []payload{
		{"JSON", true, "application/json", []byte(`{"a":[1,"é ✓"]}`)},
		{"bytes", false, "application/octet-stream", all},
		{"nothing", false, "application/octet-stream", nil},
		{"long", false, "application/vnd.example.long", bytes.Repeat([]byte{0, 0xff, '\n', 'a'}, long/4)},
	}
}

func takesPayloads(ctx context.Context, b *bench) error {
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	for i, sent := range payloads(b.features) {
		m := Message{Payload: sent.bytes, Text: sent.text, ContentType: sent.contentType}
		if err := b.take(ctx, p, m); err != nil {
			return fmt.Errorf("%s: %w", sent.name, err)
		}
		all, err := b.arrived(ctx, i+1)
		if err != nil {
			return fmt.Errorf("%s: %w", sent.name, err)
		}
		if len(all) != i+1 {
			return fmt.Errorf("%s: it arrived %d times", sent.name, len(all)-i)
		}
		got := all[i]
		if err := b.compare(m, Message{Payload: got.Payload, Text: got.Text, ContentType: got.ContentType}); err != nil {
			return fmt.Errorf("%s: %w", sent.name, err)
		}
	}
	return nil
}

// compare says in what a message that arrived differs from what was sent.
func (b *bench) compare(want, got Message) error {
	switch {
	case !bytes.Equal(got.Payload, want.Payload):
		return fmt.Errorf("%d bytes were sent and %d other bytes arrived", len(want.Payload), len(got.Payload))
	case b.features.Text && got.Text != want.Text:
		return fmt.Errorf("sent with text %v, arrived with text %v", want.Text, got.Text)
	case b.features.ContentType && got.ContentType != want.ContentType:
		return fmt.Errorf("the content type arrived as %q, want %q", got.ContentType, want.ContentType)
	}
	return nil
}

func takesMetadata(ctx context.Context, b *bench) error {
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	const name, value = "X-Outrider-Test", `one two; three="4"`
	for i, m := range []Message{{Metadata: transport.Metadata{name: value}}, {}} {
		if err := b.take(ctx, p, m); err != nil {
			return err
		}
		all, err := b.arrived(ctx, i+1)
		if err != nil {
			return err
		}
		if got := all[i].Metadata[name]; got != m.Metadata[name] {
			return fmt.Errorf("message %d arrived with %q, want %q", i+1, got, m.Metadata[name])
		}
	}
	return nil
}

func takesID(ctx context.Context, b *bench) error {
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	id := transport.NewID(time.Now())
	if err := b.take(ctx, p, Message{ID: id}); err != nil {
		return err
	}
	all, err := b.arrived(ctx, 1)
	if err == nil && all[0].ID != id {
		err = fmt.Errorf("the id arrived as %v, want %v", all[0].ID, id)
	}
	return err
}

func knowsTheOrigin(ctx context.Context, b *bench) error {
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	if err := b.take(ctx, p, Message{}); err != nil {
		return err
	}
	all, err := b.arrived(ctx, 1)
	if err != nil {
		return err
	}
	if o := all[0].Origin; o.Remote == "" || o.Local == "" {
		return fmt.Errorf("the origin is from %q at %q", o.Remote, o.Local)
	}
	if all[0].Session == "" {
		return errors.New("the message has no session")
	}
	return nil
}

// keepsOrder: messages of one connection are handled one at a time, in order.
func keepsOrder(ctx context.Context, b *bench) error {
	const n = 200
	var mu sync.Mutex
	inside, most := 0, 0
	b.on(func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		mu.Lock()
		inside++
		most = max(most, inside)
		mu.Unlock()
		mu.Lock()
		defer mu.Unlock()
		inside--
		return nil, nil
	})
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	for i := range n {
		if err := b.take(ctx, p, Message{Payload: fmt.Appendf(nil, "%d", i)}); err != nil {
			return err
		}
	}
	all, err := b.arrived(ctx, n)
	if err != nil {
		return err
	}
	for i, m := range all {
		if string(m.Payload) != fmt.Sprint(i) {
			return fmt.Errorf("message %s was handled in place %d", m.Payload, i)
		}
	}
	if most != 1 {
		return fmt.Errorf("%d messages of one connection were handled at once", most)
	}
	return nil
}

// servesManyPeers: each message arrives once, and each reply at its peer.
func servesManyPeers(ctx context.Context, b *bench) error {
	const peers, each = 64, 20
	b.on(func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		return &inbound.Reply{Payload: append([]byte("re "), m.Payload...)}, nil
	})
	errs := make([]error, peers)
	var group sync.WaitGroup
	for i := range peers {
		group.Go(func() { errs[i] = b.talk(ctx, i, each) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	all, err := b.arrived(ctx, peers*each)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, m := range all {
		if seen[string(m.Payload)] {
			return fmt.Errorf("message %q was handled twice", m.Payload)
		}
		seen[string(m.Payload)] = true
	}
	return nil
}

// talk has one peer send messages and get the reply to each.
func (b *bench) talk(ctx context.Context, i, n int) error {
	p, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close() // it has served
	for j := range n {
		text := fmt.Sprintf("%d/%d", i, j)
		if err := b.take(ctx, p, Message{Payload: []byte(text)}); err != nil {
			return fmt.Errorf("peer %d: %w", i, err)
		}
		m, err := b.receive(ctx, p)
		if err != nil {
			return fmt.Errorf("peer %d: %w", i, err)
		}
		if string(m.Payload) != "re "+text {
			return fmt.Errorf("peer %d got %q as the reply to %q", i, m.Payload, text)
		}
	}
	return nil
}

func tellsRefusals(ctx context.Context, b *bench) error {
	for _, refusal := range []struct {
		err  error
		want inbound.Refusal
	}{
		{inbound.ErrMalformed, inbound.Malformed},
		{inbound.ErrUnknownRecipient, inbound.UnknownRecipient},
		{inbound.ErrRefused, inbound.Refused},
		{inbound.ErrTooLarge, inbound.TooLarge},
		{inbound.ErrBusy, inbound.Busy},
		{errors.New("broken"), inbound.Failed},
	} {
		b.on(func(context.Context, *inbound.Message) (*inbound.Reply, error) { return nil, refusal.err })
		p, err := b.dial(ctx)
		if err != nil {
			return err
		}
		answer, err := b.send(ctx, p, Message{Payload: []byte("x")})
		if err != nil {
			return fmt.Errorf("%s: %w", refusal.want, err)
		}
		if !same(answer.Refusal, refusal.want) {
			return fmt.Errorf("the handler says %s and the peer is told %q", refusal.want, answer.Refusal)
		}
		if err := p.Close(); err != nil {
			return fmt.Errorf("Close: %w", err)
		}
	}
	return nil
}

// same: a protocol may have one word for two refusals, if both last or neither
// does.
func same(told, meant inbound.Refusal) bool {
	return told == meant || told != "" && told.Lasting() == meant.Lasting()
}

func tellsNothingOfTheInside(ctx context.Context, b *bench) error {
	const secret = "Zm9vYmFy-secret"
	for _, failure := range []inbound.Handler{
		func(context.Context, *inbound.Message) (*inbound.Reply, error) { return nil, errors.New(secret) },
		func(context.Context, *inbound.Message) (*inbound.Reply, error) {
			return nil, fmt.Errorf("%w: %s", inbound.ErrRefused, secret)
		},
		func(context.Context, *inbound.Message) (*inbound.Reply, error) {
			return &inbound.Reply{Payload: []byte(secret), WireFormat: "json"}, nil
		},
	} {
		b.on(failure)
		p, err := b.dial(ctx)
		if err != nil {
			return err
		}
		answer, err := b.send(ctx, p, Message{Payload: []byte("x")})
		if err != nil {
			return err
		}
		if answer.Refusal == "" {
			return errors.New("a message that was not handled is taken")
		}
		if strings.Contains(answer.Text, secret) {
			return fmt.Errorf("the peer is told %q", answer.Text)
		}
		if err := p.Close(); err != nil {
			return fmt.Errorf("Close: %w", err)
		}
	}
	return nil
}

func refusesLargeMessages(ctx context.Context, b *bench) error {
	limit := b.features.MaxMessageBytes
	for i, size := range []int{limit - 1, limit, limit + 1, 4 * limit} {
		p, err := b.dial(ctx)
		if err != nil {
			return err
		}
		answer, err := b.send(ctx, p, Message{Payload: bytes.Repeat([]byte("x"), size), ContentType: "application/octet-stream"})
		switch {
		case err != nil:
			return fmt.Errorf("%d bytes: %w", size, err)
		case size <= limit && answer.Refusal != "", size > limit && answer.Refusal != inbound.TooLarge:
			return fmt.Errorf("%d bytes, of %d at most: the answer is %q", size, limit, answer.Refusal)
		}
		all, err := b.arrived(ctx, min(i+1, 2))
		if err != nil || len(all) > 2 {
			return fmt.Errorf("%d messages were handled, %w", len(all), err)
		}
		_ = p.Close() // it may have been closed on
	}
	return nil
}

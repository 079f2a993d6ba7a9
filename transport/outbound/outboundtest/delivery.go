package outboundtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func namesItsSchemes(_ context.Context, b *bench) error {
	schemes := slices.Clone(b.Transport.Schemes())
	if len(schemes) == 0 {
		return errors.New("there are no schemes")
	}
	for i, scheme := range schemes {
		u, err := url.Parse(scheme + "://host")
		if err != nil || u.Scheme != scheme {
			return fmt.Errorf("scheme %q is not one of RFC 3986 in lower case", scheme)
		}
		if slices.Contains(schemes[:i], scheme) {
			return fmt.Errorf("scheme %q is there twice", scheme)
		}
	}
	b.Transport.Schemes()[0] = "changed-by-caller"
	if !slices.Equal(schemes, b.Transport.Schemes()) {
		return errors.New("the schemes change, or Schemes hands out the transport's own slice")
	}
	if !slices.Contains(schemes, b.Healthy.Scheme()) {
		return fmt.Errorf("scheme %q of the healthy peer is not one of %v", b.Healthy.Scheme(), schemes)
	}
	return nil
}

func counts(ctx context.Context, b *bench) error {
	collected, ok := b.Transport.(outbound.Collected)
	if !ok || collected.Collector() == nil {
		return errors.New("the transport has no collector: embed outbound.Base")
	}
	if first := collected.Collector(); first != collected.Collector() {
		return errors.New("the collector changes from call to call")
	}
	if err := b.deliver(ctx, b.message(b.Healthy, "counted")); err != nil {
		return err
	}
	after := collected.Collector().Snapshot()
	if after.BytesSent < int64(len("counted")) {
		return fmt.Errorf("after a delivery of %d bytes, %d bytes are counted", len("counted"), after.BytesSent)
	}
	if !observed(after) {
		return errors.New("after a delivery no metric has observed a duration")
	}
	if _, err := b.attempt(ctx, b.message(b.Down, "counted")); err == nil {
		return errors.New("nothing listens, and the attempt succeeds")
	}
	class := string(transport.Temporary)
	if errs := collected.Collector().Snapshot().Errors; errs[class] != 1 {
		return fmt.Errorf("after a temporary error the counted errors are %v, want one %q", errs, class)
	}
	return nil
}

func observed(s stats.Snapshot) bool {
	for _, summary := range s.Metrics {
		if summary.Count > 0 {
			return true
		}
	}
	return false
}

// payload is one that must arrive as it is.
type payload struct {
	name        string
	text        bool
	contentType string
	bytes       []byte
}

func payloads(features Features) []payload {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	long := 1 << 20
	if limit := features.MaxPayload; limit > 0 {
		long = min(long, limit)
	}
	return []payload{
		{"JSON", true, "application/json", []byte(`{"a":[1,"é ✓"]}`)},
		{"text", true, "text/plain; charset=utf-8", []byte("line\r\n\x00é ✓\n")},
		{"no text", true, "text/plain; charset=utf-8", nil},
		{"bytes", false, "application/octet-stream", all},
		{"no bytes", false, "application/octet-stream", nil},
		{"long", false, "application/vnd.example.long", bytes.Repeat([]byte{0, 0xff, '\n', 'a'}, long/4)},
	}
}

func deliversPayloads(ctx context.Context, b *bench) error {
	for i, p := range payloads(b.features) {
		m := newMessage(b.Healthy, b.Profile, p.bytes)
		m.Text, m.ContentType = p.text, p.contentType
		if err := b.deliver(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		all, err := b.received(ctx, i+1)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		switch got := all[i]; {
		case len(all) != i+1:
			return fmt.Errorf("%s: it arrived %d times", p.name, len(all)-i)
		case !bytes.Equal(got.Payload, p.bytes):
			return fmt.Errorf("%s: %d bytes were sent and %d other bytes arrived", p.name, len(p.bytes), len(got.Payload))
		case b.features.Text && got.Text != p.text:
			return fmt.Errorf("%s: sent with text %v, arrived with text %v", p.name, p.text, got.Text)
		case b.features.ContentType && got.ContentType != p.contentType:
			return fmt.Errorf("%s: the content type arrived as %q, want %q", p.name, got.ContentType, p.contentType)
		}
	}
	return nil
}

func deliversMetadata(ctx context.Context, b *bench) error {
	first := b.message(b.Healthy, "with metadata")
	first.Metadata = transport.Metadata{"x-outrider-test": "one two; three=\"4\"", "x-outrider-other": "5"}
	second := b.message(b.Healthy, "without")
	for i, m := range []*outbound.Message{first, second} {
		if err := b.deliver(ctx, m); err != nil {
			return err
		}
		all, err := b.received(ctx, i+1)
		if err != nil {
			return err
		}
		arrived := lowerNames(all[i].Metadata)
		for name, value := range first.Metadata {
			if want := m.Metadata[name]; arrived[name] != want {
				return fmt.Errorf("message %d: %s arrived as %q, want %q (%q was sent with the first)", i+1, name, arrived[name], want, value)
			}
		}
	}
	return nil
}

func lowerNames(m transport.Metadata) transport.Metadata {
	lower := transport.Metadata{}
	for name, value := range m {
		lower[strings.ToLower(name)] = value
	}
	return lower
}

func deliversID(ctx context.Context, b *bench) error {
	m := b.message(b.Healthy, "twice")
	other := b.message(b.Healthy, "once")
	again := *m
	again.Attempt = 2
	for i, sent := range []*outbound.Message{m, other, &again} {
		if err := b.deliver(ctx, sent); err != nil {
			return err
		}
		all, err := b.received(ctx, i+1)
		if err != nil {
			return err
		}
		if all[i].ID != sent.ID {
			return fmt.Errorf("attempt %d of a message arrived with the id %v, want %v", sent.Attempt, all[i].ID, sent.ID)
		}
	}
	return nil
}

func deliversAPIKey(ctx context.Context, b *bench) error {
	const key = "key/with+signs=%20"
	with, err := withKey(b.Healthy, key)
	if err != nil {
		return err
	}
	for i, sent := range []struct {
		endpoint transport.Endpoint
		want     string
	}{{with, key}, {b.Healthy, b.Healthy.APIKey().Reveal()}} {
		if err := b.deliver(ctx, b.message(sent.endpoint, "keyed")); err != nil {
			return err
		}
		all, err := b.received(ctx, i+1)
		if err != nil {
			return err
		}
		if all[i].APIKey != sent.want {
			return fmt.Errorf("message %d arrived with another API key than its own", i+1)
		}
	}
	return nil
}

// withKey returns the endpoint with that API key.
func withKey(endpoint transport.Endpoint, key string) (transport.Endpoint, error) {
	u := endpoint.URL()
	return transport.ParseEndpoint(u.String() + "#" + key)
}

// deliversFromManyGoroutines sends 3200 messages, of which each must arrive
// once, and one more, behind which a second copy would show.
func deliversFromManyGoroutines(ctx context.Context, b *bench) error {
	const senders, each = 64, 50
	errs := make([]error, senders)
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			for j := range each {
				if err := b.deliver(ctx, b.message(b.Healthy, fmt.Sprintf("%d/%d", i, j))); err != nil {
					errs[i] = fmt.Errorf("sender %d, message %d: %w", i, j, err)
					return
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := b.deliver(ctx, b.message(b.Healthy, "last")); err != nil {
		return err
	}
	all, err := b.received(ctx, senders*each+1)
	if err != nil {
		return err
	}
	copies := map[string]int{}
	for _, message := range all {
		if text := string(message.Payload); copies[text] > 0 {
			return fmt.Errorf("message %q arrived twice", text)
		}
		copies[string(message.Payload)]++
	}
	if len(copies) != senders*each+1 {
		return fmt.Errorf("%d different messages arrived, want %d", len(copies), senders*each+1)
	}
	return nil
}

// checks: a transport that is an [outbound.Checker] must not refuse when a
// message is accepted what it delivers afterwards.
func checks(ctx context.Context, b *bench) error {
	checker, ok := b.Transport.(outbound.Checker)
	if !ok {
		return nil
	}
	for _, endpoint := range append(b.others(), b.Healthy) {
		if err := checker.CheckMessage(ctx, b.message(endpoint, "checked")); err != nil {
			return fmt.Errorf("CheckMessage for %v: %w", endpoint, err)
		}
	}
	return nil
}

package outboundtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// TestSoundTransportPasses: without a fault the fake passes every case.
func TestSoundTransportPasses(t *testing.T) {
	Run(t, func(t *testing.T) Harness { return newFake(t, &fake{}) }, features)
}

// TestBrokenTransportsFail plants one fault at a time and asks for it to be
// found.
func TestBrokenTransportsFail(t *testing.T) {
	t.Parallel()
	shared := []string{"mem"}
	for _, test := range []struct {
		c     string
		fault string
		fake  func() *fake
	}{
		{"start and stop", "starts twice", func() *fake {
			return &fake{start: func(ctx context.Context, next func(context.Context) error) error {
				if err := next(ctx); !errors.Is(err, transport.ErrStarted) {
					return err
				}
				return nil
			}}
		}},
		{"start and stop", "stops once", func() *fake {
			var stopped atomic.Bool
			return &fake{stop: func(ctx context.Context, next func(context.Context) error) error {
				if stopped.Swap(true) {
					return errors.New("already stopped")
				}
				return next(ctx)
			}}
		}},
		{"start and stop", "takes messages at any time", handling(succeed)},
		{"start and stop", "cannot start", func() *fake {
			return &fake{start: func(context.Context, func(context.Context) error) error { return errors.New("no") }}
		}},
		{"start and stop", "works on after Stop", func() *fake {
			return &fake{stop: func(context.Context, func(context.Context) error) error { return nil }}
		}},
		{"hard stop", "does not hear it", func() *fake {
			return &fake{start: func(ctx context.Context, next func(context.Context) error) error {
				return next(context.WithoutCancel(ctx))
			}}
		}},
		{"stop during an attempt", "Stop does not hear its context", func() *fake {
			return &fake{stop: func(ctx context.Context, next func(context.Context) error) error {
				return next(context.WithoutCancel(ctx))
			}}
		}},
		{"schemes", "none", func() *fake { return &fake{schemes: func() []string { return nil }} }},
		{"schemes", "upper case", func() *fake { return &fake{schemes: func() []string { return []string{"MEM"} }} }},
		{"schemes", "not one", func() *fake { return &fake{schemes: func() []string { return []string{"mem", "1mem"} }} }},
		{"schemes", "twice", func() *fake { return &fake{schemes: func() []string { return []string{"mem", "mem"} }} }},
		{"schemes", "own slice", func() *fake { return &fake{schemes: func() []string { return shared }} }},
		{"schemes", "another", func() *fake { return &fake{schemes: func() []string { return []string{"men"} }} }},
		{"collector", "none", func() *fake { return &fake{collect: func() *stats.Collector { return nil }} }},
		{"collector", "another each time", func() *fake { return &fake{collect: stats.New} }},
		{"collector", "does not count", func() *fake {
			idle := stats.New()
			return &fake{collect: func() *stats.Collector { return idle }}
		}},
		{"payloads", "loses all", handling(succeed)},
		{"payloads", "weak evidence", handling(func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
			receipt, err := next(ctx, m)
			receipt.Evidence = transport.Written
			return receipt, err
		})},
		{"payloads", "more evidence than it says", func() *fake { return &fake{most: transport.Written} }},
		{"payloads", "cuts them", sending(func(m *outbound.Message) { m.Payload = m.Payload[:min(len(m.Payload), 1<<16)] })},
		{"payloads", "all bytes", sending(func(m *outbound.Message) { m.Text = false })},
		{"payloads", "loses the content type", sending(func(m *outbound.Message) { m.ContentType = "" })},
		{"payloads", "sends twice", handling(twice)},
		{"metadata", "loses it", sending(func(m *outbound.Message) { m.Metadata = nil })},
		{"metadata", "keeps it for the next", sticky},
		{"id on each attempt", "a new one each time", sending(func(m *outbound.Message) { m.ID = transport.NewID(time.Now()) })},
		{"API key", "loses it", sending(func(m *outbound.Message) { m.Endpoint = endpoint(t, "mem://healthy/in") })},
		{"64 goroutines", "loses some", some(succeed)},
		{"64 goroutines", "sends some twice", some(twice)},
		{"64 goroutines", "fails some", some(func(context.Context, *outbound.Message, handler) (outbound.Receipt, error) {
			return outbound.Receipt{}, errors.New("no")
		})},
		{"changes nothing", "metadata", handling(func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
			m.Metadata["x-api-key"] = "1"
			return next(ctx, m)
		})},
		{"changes nothing", "payload", handling(func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
			receipt, err := next(ctx, m)
			clear(m.Payload)
			return receipt, err
		})},
		{"changes nothing", "endpoint", handling(func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
			defer func() { m.Endpoint = transport.Endpoint{} }()
			return next(ctx, m)
		})},
		{"checker takes what it can deliver", "refuses", func() *fake {
			return &fake{check: func() error { return errors.New("no") }}
		}},
		{"refused", "temporary", replaced(func(e *outbound.DeliveryError) { e.Class = transport.Temporary })},
		{"refused", "success", handling(succeed)},
		{"dropping", "acknowledged", handling(succeed)},
		{"dropping", "permanent", replaced(func(e *outbound.DeliveryError) { e.Class = transport.Permanent })},
		{"dropping", "not sent", replaced(func(e *outbound.DeliveryError) { e.MaybeSent = false })},
		{"failing", "permanent", replaced(func(e *outbound.DeliveryError) { e.Class = transport.Permanent })},
		{"failing", "no transport", replaced(func(e *outbound.DeliveryError) { e.Transport = "" })},
		{"failing", "no endpoint", replaced(func(e *outbound.DeliveryError) { e.Endpoint = transport.Endpoint{} })},
		{"failing", "plain error", handling(func(context.Context, *outbound.Message, handler) (outbound.Receipt, error) {
			return outbound.Receipt{}, errors.New("no")
		})},
		{"nothing listens", "maybe sent", replaced(func(e *outbound.DeliveryError) { e.MaybeSent = true })},
		{"nothing listens", "permanent", replaced(func(e *outbound.DeliveryError) { e.Class = transport.Permanent })},
		{"foreign endpoint", "temporary", replaced(func(e *outbound.DeliveryError) { e.Class = transport.Temporary })},
		{"foreign endpoint", "maybe sent", replaced(func(e *outbound.DeliveryError) { e.MaybeSent = true })},
		{"payload too long", "takes it", handling(succeed)},
		{"payload too long", "maybe sent", replaced(func(e *outbound.DeliveryError) { e.MaybeSent = true })},
		{"cancelled before", "sends it", handling(func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
			receipt, err := next(context.WithoutCancel(ctx), m)
			if ctx.Err() != nil {
				err = &outbound.DeliveryError{Transport: "fake", Endpoint: m.Endpoint, Class: transport.Temporary, Err: ctx.Err()}
			}
			return receipt, err
		})},
		{"cancelled before", "maybe sent", replaced(func(e *outbound.DeliveryError) { e.MaybeSent = true })},
		{"cancelled before", "loses the cause", replaced(func(e *outbound.DeliveryError) { e.Err = errors.New("no") })},
		{"cancelled while the peer hangs", "does not end", handling(deaf)},
		{"cancelled while the peer hangs", "says nothing was sent", replaced(func(e *outbound.DeliveryError) {
			e.Class, e.MaybeSent = transport.Temporary, false
		})},
		{"cancelled while the peer hangs", "unknown, but not sent", replaced(func(e *outbound.DeliveryError) { e.MaybeSent = false })},
		{"deadline while the peer hangs", "does not end", handling(deaf)},
		{"deadline while the peer hangs", "ends before", handling(func(_ context.Context, m *outbound.Message, _ handler) (outbound.Receipt, error) {
			return outbound.Receipt{}, &outbound.DeliveryError{Transport: "fake", Endpoint: m.Endpoint, Class: transport.Temporary, Err: errors.New("no")}
		})},
		{"secrets", "whole endpoint in the error", telling(func(m *outbound.Message) error {
			return fmt.Errorf("dial %s", m.Endpoint.Whole().Reveal())
		})},
		{"secrets", "URL in a cause", telling(func(m *outbound.Message) error {
			u := m.Endpoint.URL()
			return &wrapped{text: "cannot dial", cause: errors.New(u.String())}
		})},
		{"secrets", "payload in the error", telling(func(m *outbound.Message) error { return fmt.Errorf("sent %q", m.Payload) })},
		{"secrets", "metadata in the error", telling(func(m *outbound.Message) error { return fmt.Errorf("sent %v", m.Metadata) })},
		{"secrets", "API key in the note", handling(func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
			receipt, err := next(ctx, m)
			receipt.Note = "with " + m.Endpoint.APIKey().Reveal()
			return receipt, err
		})},
	} {
		t.Run(test.c+"/"+test.fault, func(t *testing.T) {
			t.Parallel()
			if err := runCase(t, test.c, test.fake()); err == nil {
				t.Error("the suite did not find the fault")
			}
		})
	}
}

// TestLeakIsFound: it counts goroutines, so it runs alone.
func TestLeakIsFound(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	leaking := handling(func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
		go func() { <-release }()
		return next(ctx, m)
	})
	if err := runCase(t, "gives everything back", leaking()); err == nil {
		t.Error("the suite did not find the leak")
	}
}

// TestCasesSayWhatTheyNeed: without a peer or a feature, its cases are skipped,
// and without a transport none runs.
func TestCasesSayWhatTheyNeed(t *testing.T) {
	t.Parallel()
	bare := Features{Evidence: transport.Acknowledged}
	skipped := map[string]bool{}
	for _, c := range cases {
		if c.alone {
			continue // it would count this test's goroutines
		}
		missing, err := c.check(t.Context(), func() Harness {
			h := newFake(t, &fake{})
			h.Refusing, h.Failing, h.Hanging, h.Dropping = transport.Endpoint{}, transport.Endpoint{}, transport.Endpoint{}, transport.Endpoint{}
			return h
		}, patient(t, bare, 0))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		skipped[c.name] = missing != ""
		if _, err := c.check(t.Context(), func() Harness { return Harness{} }, bare); err == nil {
			t.Errorf("%s: it runs without a transport", c.name)
		}
	}
	for name, want := range map[string]bool{
		"hard stop": true, "metadata": true, "API key": true, "refused": true, "payload too long": true,
		"payloads": false, "nothing listens": false, "secrets": false,
	} {
		if skipped[name] != want {
			t.Errorf("%s: skipped is %v, want %v", name, skipped[name], want)
		}
	}
	if _, err := (Features{}).withDefaults(); err == nil {
		t.Error("features without evidence are taken")
	}
}

func patient(t *testing.T, f Features, patience time.Duration) Features {
	t.Helper()
	f.Patience = patience
	f, err := f.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// runCase runs one case on a fake, with little patience.
func runCase(t *testing.T, name string, f *fake) error {
	t.Helper()
	for _, c := range cases {
		if c.name != name {
			continue
		}
		missing, err := c.check(t.Context(), func() Harness { return newFake(t, f) }, patient(t, features, 300*time.Millisecond))
		if missing != "" {
			t.Fatalf("case %q was skipped without %s", name, missing)
		}
		return err
	}
	t.Fatalf("there is no case %q", name)
	return nil
}

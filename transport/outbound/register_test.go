package outbound_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/registry"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestRegistration(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		for name, c := range map[string]struct {
			transport outbound.Transport
			want      error
			text      string
		}{
			"nil":       {nil, registry.ErrNil, ""},
			"typed nil": {(*driver)(nil), registry.ErrNil, ""},
			"duplicate": {&driver{}, registry.ErrDuplicateScheme, "outbound_test.driver"},
			"in part":   {&driver{schemes: []string{"fresh", "TEST"}}, registry.ErrDuplicateScheme, "test"},
			"malformed": {&driver{schemes: []string{"no scheme"}}, registry.ErrInvalidScheme, ""},
			"none":      {&driver{schemes: []string{}}, registry.ErrInvalidScheme, ""},
		} {
			err := f.Register(c.transport)
			if !errors.Is(err, c.want) || !errors.Is(err, outbound.ErrRegistration) || !errors.Is(err, outbound.ErrTransport) ||
				!strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := f.Schemes(); !slices.Equal(got, []string{"test"}) {
			t.Errorf("schemes = %q: a refused registration left something", got)
		}
		_, err := f.Send(t.Context(), outbound.Message{Endpoint: endpoint(t, "nowhere://host/")})
		var field *outbound.FieldError
		if !errors.As(err, &field) || field.Field != "endpoint" || !errors.Is(err, outbound.ErrUnknownScheme) || !strings.Contains(err.Error(), "test") {
			t.Errorf("unknown scheme: %v", err)
		}
		if err != nil && strings.Count(err.Error(), "unknown scheme") != 1 {
			t.Errorf("it is said twice: %v", err)
		}
	})
}

// broken is a driver that does not start.
type broken struct{ driver }

func (*broken) Start(context.Context) error { return errBroken }

// TestTransportsGoByNamesThatUsersKnow: that of its first scheme, or its own, in
// statistics, events and errors; not the name of a Go type.
func TestTransportsGoByNamesThatUsersKnow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{schemes: []string{"FIRST", "second"}}, outbound.Options{})
		if err := f.Register(&slow{}); err != nil {
			t.Fatal(err)
		}
		all, err := f.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, each := range all.Transports {
			names = append(names, each.Transport)
		}
		if want := []string{"first", "slow"}; !slices.Equal(names, want) {
			t.Errorf("the statistics are of %q, want %q", names, want)
		}
		if err := f.Register(&broken{}); err == nil || !strings.Contains(err.Error(), "start transport test: ") {
			t.Errorf("one that does not start: %v", err)
		}
		if _, err := f.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		told := map[string]string{}
		for e := range f.events.Events() {
			if p, ok := e.Payload.(outbound.TransportEvent); ok {
				told[e.Topic] += " " + p.Transport
			}
		}
		if got := told[outbound.TopicTransportStarted]; !strings.Contains(got, " first") || !strings.Contains(got, " slow") || strings.Contains(got, "*") {
			t.Errorf("started are%s", got)
		}
	})
}

// Start is promised to be called once: what is in use was started again, and then
// stopped, when somebody registered it a second time.
func TestRegisteredTwiceIsLeftAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &driver{}
		f := start(t, d, outbound.Options{})
		for name, again := range map[string]func() error{
			"Register": func() error { return f.Register(d) },
			"Replace":  func() error { return f.Replace(t.Context(), d) },
		} {
			if err := again(); !errors.Is(err, outbound.ErrRegistration) || !errors.Is(err, registry.ErrDuplicateScheme) {
				t.Errorf("%s: %v", name, err)
			}
			if d.started != 1 || d.stopped != 0 {
				t.Errorf("%s: started %d times, stopped %d times", name, d.started, d.stopped)
			}
		}
		f.send("test://host/", nil)
		if err := f.Flush(t.Context()); err != nil || len(d.seen()) != 1 {
			t.Errorf("%d attempts, %v", len(d.seen()), err)
		}
	})
}

func TestReplaceAndUnregister(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		proceed := make(chan struct{})
		old := &driver{schemes: []string{"test", "other"}, handle: func(context.Context, *outbound.Message) error {
			<-proceed
			return nil
		}}
		f := start(t, old, outbound.Options{})
		running := f.send("test://host/", nil)
		synctest.Wait()
		if err := f.Replace(t.Context(), &driver{}); err != nil {
			t.Fatal(err)
		}
		if old.stopped != 0 {
			t.Error("stopped although it still has a scheme")
		}
		if err := f.Replace(t.Context(), &driver{}); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- f.Unregister(t.Context(), "Other") }()
		synctest.Wait()
		if old.stopped != 0 {
			t.Error("stopped while an attempt was under way")
		}
		close(proceed)
		if err := <-done; err != nil || old.stopped != 1 {
			t.Errorf("Unregister: %v, stopped %d times", err, old.stopped)
		}
		synctest.Wait()
		f.wantResult(running, queue.Delivered)
		if err := f.Unregister(t.Context(), "other"); !errors.Is(err, outbound.ErrUnknownScheme) {
			t.Errorf("Unregister again: %v", err)
		}
	})
}

func TestMessagesWaitForTheirTransport(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Minute, MaxAttempts: 9}})
		lane := queue.Lane{Profile: "default", Destination: "test://host/"}
		if err := f.PauseDestination(t.Context(), lane, queue.Forever, ""); err != nil {
			t.Fatal(err)
		}
		id := f.send("test://host/", nil)
		if err := f.Unregister(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		if err := f.ResumeDestination(t.Context(), lane); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r := f.record(id); r.State != queue.StateRetry || !strings.Contains(r.LastError, "unknown scheme") {
			t.Fatalf("record = %+v", r)
		}
		if err := f.Register(&driver{}); err != nil {
			t.Fatal(err)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantResult(id, queue.Delivered)
	})
}

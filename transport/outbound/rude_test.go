package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// attempt returns the only attempt at a message.
func (f *fixture) attempt(id transport.ID) queue.Attempt {
	f.t.Helper()
	all, err := f.Attempts(f.t.Context(), id)
	if err != nil || len(all) != 1 {
		f.t.Fatalf("%d attempts, %v, want one", len(all), err)
	}
	return all[0]
}

// rude is an error that panics when it is asked what it says.
type rude struct{}

func (rude) Error() string { panic("secret") }

// TestRudeTransports: whatever a transport does instead of returning what it should
// is the failure of an attempt, and of nothing else.
func TestRudeTransports(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handle func(context.Context, *outbound.Message) error
		want   string
	}{
		"panics":                      {func(context.Context, *outbound.Message) error { panic("secret") }, "panicked with a string"},
		"returns a nil DeliveryError": {func(context.Context, *outbound.Message) error { return (*outbound.DeliveryError)(nil) }, "nil *DeliveryError"},
		"wraps a nil DeliveryError": {func(context.Context, *outbound.Message) error {
			return fmt.Errorf("wrapped: %w", error((*outbound.DeliveryError)(nil)))
		}, "nil *DeliveryError"},
		"returns an error that panics": {func(context.Context, *outbound.Message) error { return rude{} }, "panicked with a string"},
		"has a cause that panics":      {func(context.Context, *outbound.Message) error { return &outbound.DeliveryError{Err: rude{}} }, "panicked with a string"},
		"ends the goroutine": {func(context.Context, *outbound.Message) error {
			runtime.Goexit()
			return nil
		}, "ended its goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := start(t, &driver{handle: test.handle}, outbound.Options{Workers: 1, Retry: outbound.NoRetry()})
				id := f.send("test://host/", nil)
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				r := f.record(id)
				if r.Result != queue.Dead || !strings.Contains(r.LastError, test.want) || strings.Contains(r.LastError, "secret") {
					t.Errorf("record = %+v", r)
				}
				if got := f.attempt(id); got.Class != transport.Temporary || got.Evidence != transport.Written {
					t.Errorf("attempt = %+v, want one that may have arrived", got)
				}
				f.driver.handle = nil
				again := f.send("test://host/", nil)
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.wantResult(again, queue.Delivered)
			})
		})
	}
}

// TestATestByHandWhoseTransportEndsTheGoroutine is answered all the same.
func TestATestByHandWhoseTransportEndsTheGoroutine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(context.Context, *outbound.Message) error {
			runtime.Goexit()
			return nil
		}}, outbound.Options{Workers: 1})
		f.hold(queue.Forever)
		f.send("test://host/", nil)
		if got := f.test(); !strings.Contains(got.Error, "ended its goroutine") {
			t.Errorf("the test says %+v", got)
		}
	})
}

// TestWhatIsKeptOfAnAttemptIsBounded, whatever the transport says of it.
func TestWhatIsKeptOfAnAttemptIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		long := strings.Repeat("é", 1<<20)
		f := start(t, &driver{handle: func(context.Context, *outbound.Message) error {
			return &outbound.DeliveryError{Code: long, Response: []byte(long), Err: errors.New(long)}
		}}, outbound.Options{Retry: outbound.NoRetry()})
		id := f.send("test://host/", nil)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := f.attempt(id)
		if len(got.Code) > 256 || len(got.Error) > 4<<10 || len(got.Response) > 64<<10 {
			t.Errorf("%d bytes of code, %d of text, %d of response", len(got.Code), len(got.Error), len(got.Response))
		}
		if !utf8.ValidString(got.Error) || !strings.HasSuffix(got.Error, "é…") {
			t.Errorf("the text ends in %q", got.Error[len(got.Error)-10:])
		}
	})
}

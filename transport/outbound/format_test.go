package outbound_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat"
)

// marked is a wire format that marks the payload with its name when it encodes,
// and each attempt with its number when it stamps.
type marked struct {
	wireformat.Raw
	name    string
	encoded int
}

func (f *marked) Name() string         { return f.name }
func (f *marked) MediaTypes() []string { return []string{"text/x-" + f.name} }

func (f *marked) Encode(_ context.Context, _ *profile.Profile, m wireformat.Message, _ wireformat.Target) (wireformat.Frame, error) {
	if string(m.Payload) == "bad" {
		return wireformat.Frame{}, &wireformat.Error{Kind: wireformat.ErrEncode, Format: f.name, Err: errors.New("no key")}
	}
	f.encoded++
	return wireformat.Frame{Body: []byte(f.name + ":" + string(m.Payload)), Header: map[string]string{"format": f.name}}, nil
}

func (f *marked) Stamp(_ context.Context, _ *profile.Profile, frame *wireformat.Frame, a wireformat.Attempt) error {
	frame.Header["stamp"] = strconv.Itoa(a.Number) + "@" + a.At.Format(time.TimeOnly)
	return nil
}

func formats(t *testing.T, names ...string) *wireformat.Registry {
	t.Helper()
	all := wireformat.Builtin()
	for _, name := range names {
		all = append(all, &marked{name: name})
	}
	r, err := wireformat.NewRegistry(all...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMessagesFormatBeatsTheTransportsBeatsTheProfiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ message, transport, profile, want string }{
		"nobody chose": {"", "", "", "hello"},
		"profile":      {"", "", "p", "p:hello"},
		"transport":    {"", "t", "p", "t:hello"},
		"message":      {"m", "t", "p", "m:hello"},
		"raw by name":  {"raw", "t", "p", "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				tenant, err := profile.New("tenant", profile.Options{WireFormat: c.profile})
				if err != nil {
					t.Fatal(err)
				}
				profiles, err := profile.NewStatic(tenant)
				if err != nil {
					t.Fatal(err)
				}
				d := &driver{}
				d.Format = c.transport
				f := start(t, d, outbound.Options{Formats: formats(t, "m", "t", "p"), Profiles: profiles})
				f.send("test://host/", func(m *outbound.Message) { m.Profile, m.WireFormat = tenant, c.message })
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := string(f.driver.seen()[0].message.Payload); got != c.want {
					t.Errorf("payload = %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestEncodedOnceStampedEachAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		format := &marked{name: "m"}
		registry, err := wireformat.NewRegistry(append(wireformat.Builtin(), format)...)
		if err != nil {
			t.Fatal(err)
		}
		f := start(t, &driver{handle: func(_ context.Context, m *outbound.Message) error {
			if m.Attempt < 3 {
				return errBroken
			}
			return nil
		}}, outbound.Options{Formats: registry, Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 5}})
		id := f.send("test://host/", func(m *outbound.Message) {
			m.WireFormat = "m"
			m.Metadata = map[string]string{"mine": "1"}
		})
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, a := range f.driver.seen() {
			want := []string{"1@00:00:00", "2@00:00:01", "3@00:00:02"}[i]
			if got := a.message.Metadata; got["stamp"] != want || got["format"] != "m" || got["mine"] != "1" {
				t.Errorf("attempt %d: metadata = %v, want stamp %s", i+1, got, want)
			}
		}
		if format.encoded != 1 {
			t.Errorf("encoded %d times", format.encoded)
		}
		if r := f.record(id); r.Metadata["stamp"] != "" {
			t.Errorf("the stamp was kept: %v", r.Metadata)
		}
	})
}

func TestFormatErrorIsTheSenders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Formats: formats(t, "m")})
		_, err := f.Send(t.Context(), outbound.Message{Endpoint: endpoint(t, "test://host/"), Payload: []byte("bad"), WireFormat: "m"})
		var field *outbound.FieldError
		if !errors.As(err, &field) || field.Field != "payload" || !errors.Is(err, wireformat.ErrEncode) {
			t.Errorf("err = %v", err)
		}
		if page, err := f.List(t.Context(), queue.Query{}); err != nil || len(page.Records) != 0 {
			t.Errorf("something was kept: %v, %v", page.Records, err)
		}
	})
}

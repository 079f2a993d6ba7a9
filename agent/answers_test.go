package agent

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
)

// TestTheAnswerFindsRoom: the answer to a message that was forwarded is not lost
// because the message itself fills the queue.
func TestTheAnswerFindsRoom(t *testing.T) {
	t.Parallel()
	url, _ := app(t, `{"answer":42}`)
	b := start(t, receives(t, func(c *Config) { c.Inbound.Forward, c.MaxMessages = mustEndpoint(t, url), 1 }))
	if a := b.post(b.address("http"), `{"n":2}`, "Return-Route", "all"); a.status != http.StatusOK || a.body != `{"answer":42}` {
		t.Errorf("%d %q", a.status, a.body)
	}
}

// TestAnAnswerThatIsNotTaken: a message is sent again for an answer that nobody could
// take, and not for one that nobody ever will.
func TestAnAnswerThatIsNotTaken(t *testing.T) {
	t.Parallel()
	url, _ := app(t, `{"answer":42}`)
	for name, test := range map[string]struct {
		fate     func() error
		attempts int
	}{
		"no room":   {func() error { return inbound.ErrBusy }, 2},
		"failed":    {func() error { return errors.New("down") }, 2},
		"malformed": {func() error { return inbound.ErrMalformed }, 1},
		"panic":     {func() error { panic("bug") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			b := startHandler(t, Config{AllowPrivate: true, Retry: "attempts=3,delays=1ms"}, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
				if calls++; calls == 1 {
					return nil, test.fate()
				}
				return nil, nil
			})
			m := outboundMessage(t, url, "{}")
			m.Metadata = transport.Metadata{"Return-Route": "all"}
			sent, err := b.agent.Manager().Send(t.Context(), m)
			if err == nil {
				err = b.agent.Manager().Flush(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			record, err := b.agent.Manager().Get(t.Context(), sent.ID, false)
			if err != nil || record.Result != queue.Delivered {
				t.Errorf("%+v, %v", record, err)
			}
			all, err := b.agent.Manager().Attempts(t.Context(), sent.ID)
			if err != nil || len(all) != test.attempts {
				t.Fatalf("%d attempts, %v, want %d", len(all), err, test.attempts)
			}
			if first := all[0]; first.Evidence != transport.Acknowledged || test.attempts == 2 && (first.Class != transport.Unknown || first.Code != outbound.CodeReplyNotTaken) {
				t.Errorf("the first attempt is %+v", first)
			}
		})
	}
}

// TestAnAnswerIsSentOnce, also where the attempt at the message is repeated.
func TestAnAnswerIsSentOnce(t *testing.T) {
	t.Parallel()
	forward := mustEndpoint(t, "http://127.0.0.1/")
	waits := map[string]profile.Options{profile.DefaultID: {Pickup: profile.Pickup{Enabled: true}}}
	b := startHandler(t, Config{AllowPrivate: true, Inbound: InboundConfig{Forward: forward}, Profiles: waits}, drop)
	tenant, err := b.agent.Profiles().Lookup(t.Context(), profile.DefaultID)
	if err != nil {
		t.Fatal(err)
	}
	m := &outbound.Message{ID: transport.NewID(time.Now()), Endpoint: forward, Profile: tenant, Metadata: transport.Metadata{MetadataSession: "gone", MetadataPeer: "k"}}
	for range 2 {
		if err := b.agent.onReply(t.Context(), m, httpout.Reply{Body: []byte("{}")}); err != nil {
			t.Error(err)
		}
	}
	page, err := b.agent.Manager().List(t.Context(), queue.Query{})
	if err != nil || len(page.Records) != 1 {
		t.Errorf("%d answers are kept, %v, want 1", len(page.Records), err)
	}
}

package inbound_test

import (
	"cmp"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/webhook"
)

func TestMessage(t *testing.T) {
	t.Parallel()
	var got inboundtest.Inbox
	a := start(t, got.Handle, inbound.Options{Tenants: peers(t, "acme")})
	id := transport.NewID(time.Now())
	c := a.dial(t, "Tenant", "acme", "Peer", "k")
	f := jsonFrame(t, map[string]any{"@id": "7"})
	f.Header = map[string]string{inbound.HeaderMessageID: id.String(), "X-Other": "1"}
	send(t, c.Send(t.Context(), f))
	m := got.All()[0]
	switch {
	case m.ID != id, m.Profile.ID() != "acme", m.Session != c.Session().ID(), m.Peer != "k":
		t.Errorf("who: %v, %v, %v, %q", m.ID, m.Profile, m.Session, m.Peer)
	case string(m.Payload) != `{"@id":"7"}`, !m.Text, m.ContentType != "application/json", m.Metadata["X-Other"] != "1":
		t.Errorf("what: %s, %v, %q, %v", m.Payload, m.Text, m.ContentType, m.Metadata)
	case m.Receipt.Format != "json", m.Receipt.ThreadID != "7", m.Origin.Remote != "peer:1", m.ReceivedAt.IsZero():
		t.Errorf("how: %+v, %+v, %v", m.Receipt, m.Origin, m.ReceivedAt)
	}
}

// TestMessageID: what the wire format has proven, else the metadata's, as it is
// written; a UUID is the ID, too.
func TestMessageID(t *testing.T) {
	t.Parallel()
	id := transport.NewID(time.Now())
	signed, err := webhook.New(webhook.Options{})
	send(t, err)
	formats, err := wireformat.NewRegistry(append(wireformat.Builtin(), signed)...)
	send(t, err)
	tenant, err := profile.New("signing", profile.Options{Secrets: map[string]transport.Secret{
		webhook.DefaultSecretName: transport.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
	}})
	send(t, err)
	webhookOf := func(id string) wireformat.Frame {
		signer, err := webhook.NewSigner(transport.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
		send(t, err)
		now := time.Now()
		signature, err := signer.Sign(id, now, []byte("{}"))
		send(t, err)
		return wireformat.Frame{Body: []byte("{}"), Header: map[string]string{
			webhook.HeaderID: id, webhook.HeaderTimestamp: strconv.FormatInt(now.Unix(), 10), webhook.HeaderSignature: signature,
			inbound.HeaderMessageID: "unproven",
		}}
	}
	withHeader := func(id string) wireformat.Frame {
		return wireformat.Frame{Body: []byte("{}"), Header: map[string]string{inbound.HeaderMessageID: id}}
	}
	for _, test := range []struct {
		name, text string
		id         transport.ID
		frame      wireformat.Frame
	}{
		{"none", "", transport.ID{}, wireformat.Frame{Body: []byte("{}")}},
		{"a UUID", id.String(), id, withHeader(id.String())},
		{"a UUID in capitals", strings.ToUpper(id.String()), id, withHeader(strings.ToUpper(id.String()))},
		{"a text", "msg_1", transport.ID{}, withHeader("msg_1")},
		{"a text that is signed", "msg_2", transport.ID{}, webhookOf("msg_2")},
		{"a UUID that is signed", id.String(), id, webhookOf(id.String())},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got inboundtest.Inbox
			a := start(t, got.Handle, inbound.Options{Tenants: inbound.Fixed(tenant), Formats: formats})
			send(t, a.dial(t).Send(t.Context(), test.frame))
			if m := got.All()[0]; m.ID != test.id || m.Receipt.MessageID != test.text {
				t.Errorf("got %v and %q, want %v and %q", m.ID, m.Receipt.MessageID, test.id, test.text)
			}
		})
	}
}

// TestFormat: the connection's own, else what the frame says, else the profile's,
// else raw.
func TestFormat(t *testing.T) {
	t.Parallel()
	withJSON, err := profile.New("json", profile.Options{WireFormat: "json"})
	send(t, err)
	tests := []struct {
		name, own, contentType string
		profile                *profile.Profile
		want                   string
	}{
		{"nothing said", "", "", profile.Default(), "raw"},
		{"content type", "", "application/json; charset=utf-8", profile.Default(), "json"},
		{"content type before the profile", "", "application/octet-stream", withJSON, "raw"},
		{"profile", "", "", withJSON, "json"},
		{"unknown content type", "", "image/png", profile.Default(), "raw"},
		{"unknown content type, profile", "", "image/png", withJSON, "json"},
		{"own before all", "raw", "application/json", withJSON, "raw"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got inboundtest.Inbox
			a := start(t, got.Handle, inbound.Options{Tenants: inbound.Fixed(test.profile)})
			own := &inboundtest.Memory{Base: inbound.Base{Format: test.own}}
			send(t, a.Register(own))
			c, err := own.Dial(origin())
			send(t, err)
			f := text("{}")
			f.ContentType = test.contentType
			send(t, c.Send(t.Context(), f))
			if got := got.All()[0].Receipt.Format; got != test.want {
				t.Errorf("it was read as %s, want %s", got, test.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	secret := errors.New("password of the database")
	tests := []struct {
		name    string
		frame   wireformat.Frame
		handler error
		want    inbound.Refusal
	}{
		{"handler fails", text("x"), secret, inbound.Failed},
		{"handler refuses", text("x"), inbound.ErrRefused, inbound.Refused},
		{"handler is busy", text("x"), errors.Join(secret, inbound.ErrBusy), inbound.Busy},
		{"handler knows nobody", text("x"), inbound.ErrUnknownRecipient, inbound.UnknownRecipient},
		{"unknown tenant", text("x", "Tenant", "nobody"), nil, inbound.UnknownRecipient},
		{"no JSON", wireformat.Frame{ContentType: "application/json", Body: []byte("[")}, nil, inbound.Malformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bus := event.New(event.Options{})
			defer bus.Close(t.Context())
			refused, err := bus.Subscribe(inbound.TopicRefused, event.SubscribeOptions{})
			send(t, err)
			a := start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) { return nil, test.handler },
				inbound.Options{Tenants: peers(t), Events: bus})
			err = a.dial(t).Send(t.Context(), test.frame)
			if got := inbound.RefusalOf(err); err == nil || got != test.want {
				t.Fatalf("%v is %q, want %q", err, got, test.want)
			}
			if text := test.want.Text(); text == "" || strings.Contains(text, "password") {
				t.Errorf("the peer is told %q", text)
			}
			e, err := refused.Wait(t.Context(), nil)
			send(t, err)
			if got := e.Payload.(inbound.MessageEvent); got.Refusal != test.want || got.Error == "" {
				t.Errorf("the event is %+v", got)
			}
			if errs := a.mem.Collector().Snapshot().Errors; errs[string(test.want)] != 1 {
				t.Errorf("counted: %v", errs)
			}
		})
	}
}

// rude is an error that panics when it is asked what it says.
type rude struct{}

func (rude) Error() string { panic("s3cr3t") }

// broken is a wire format that panics.
type broken struct{}

func (broken) Name() string         { return "broken" }
func (broken) MediaTypes() []string { return []string{"application/broken"} }

func (broken) Parse(context.Context, *profile.Profile, wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	panic("s3cr3t")
}

func (broken) Encode(context.Context, *profile.Profile, wireformat.Message, wireformat.Target) (wireformat.Frame, error) {
	panic("s3cr3t")
}

// TestPanics: whatever panics while a message is read, handled or answered, the
// message has failed, and nothing else. The value of the panic is not told.
func TestPanics(t *testing.T) {
	t.Parallel()
	formats, err := wireformat.NewRegistry(append(wireformat.Builtin(), broken{})...)
	send(t, err)
	replies := func(r inbound.Reply) inbound.Handler {
		return func(context.Context, *inbound.Message) (*inbound.Reply, error) { return &r, nil }
	}
	unsent := func(context.Context, *inbound.Message, *inbound.Reply) error { panic("s3cr3t") }
	for name, test := range map[string]struct {
		handler inbound.Handler
		options inbound.Options
		origin  []string
		want    string
	}{
		"handler":         {handler: func(context.Context, *inbound.Message) (*inbound.Reply, error) { panic("s3cr3t") }},
		"error's text":    {handler: func(context.Context, *inbound.Message) (*inbound.Reply, error) { return nil, rude{} }},
		"encoding":        {handler: replies(inbound.Reply{WireFormat: "broken"})},
		"unsent":          {handler: replies(inbound.Reply{}), options: inbound.Options{Unsent: unsent}, origin: []string{inbound.HeaderReturnRoute, "none"}},
		"tenants":         {options: inbound.Options{Tenants: inbound.TenantsFunc(func(context.Context, *inbound.Origin, *wireformat.Frame) (inbound.Tenant, error) { panic("s3cr3t") })}},
		"parsing":         {options: inbound.Options{Tenants: inbound.Fixed(parsesWith(t, "broken"))}},
		"ends goroutine":  {handler: exits, want: "ended its goroutine"},
		"ends in tenants": {options: inbound.Options{Tenants: inbound.TenantsFunc(exitsInTenants)}, want: "ended its goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			core, logs := observer.New(zapcore.DebugLevel)
			bus := event.New(event.Options{})
			defer bus.Close(t.Context())
			refused, err := bus.Subscribe(inbound.TopicRefused, event.SubscribeOptions{})
			send(t, err)
			test.options.Formats, test.options.Events, test.options.Logger = formats, bus, zap.New(core)
			if test.handler == nil {
				test.handler = ignore
			}
			a := start(t, test.handler, test.options)
			c := a.dial(t, test.origin...)
			for range 2 {
				failed := make(chan error, 1)
				go func() {
					err := errors.New("it has not returned")
					defer func() { failed <- err }()
					err = c.Send(t.Context(), text("x"))
				}()
				if err := <-failed; err == nil || inbound.RefusalOf(err) != inbound.Failed {
					t.Errorf("%v", err)
				}
				e, err := refused.Wait(t.Context(), nil)
				send(t, err)
				if got := e.Payload.(inbound.MessageEvent); got.Refusal != inbound.Failed || !strings.Contains(got.Error, cmp.Or(test.want, "panicked with a string")) || strings.Contains(got.Error, "s3cr3t") {
					t.Errorf("the event is %+v", got)
				}
			}
			if errs := a.mem.Collector().Snapshot().Errors; errs[string(inbound.Failed)] != 2 {
				t.Errorf("counted: %v", errs)
			}
			wantStacks := 2
			if test.want != "" {
				wantStacks = 0
			}
			if got := logs.FilterFieldKey("stack").Len(); got != wantStacks || strings.Contains(fmt.Sprint(logs.All()), "s3cr3t") {
				t.Errorf("log: %v", logs.All())
			}
		})
	}
}

func exits(context.Context, *inbound.Message) (*inbound.Reply, error) {
	runtime.Goexit()
	return nil, nil
}

func exitsInTenants(context.Context, *inbound.Origin, *wireformat.Frame) (inbound.Tenant, error) {
	runtime.Goexit()
	return inbound.Tenant{}, nil
}

// parsesWith is a profile with a wire format.
func parsesWith(t *testing.T, name string) *profile.Profile {
	t.Helper()
	p, err := profile.New("parses", profile.Options{WireFormat: name})
	send(t, err)
	return p
}

// TestOnArrivalPanics: who is told of an arrival does no harm to the message that
// brought it.
func TestOnArrivalPanics(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{Tenants: peers(t), OnArrival: func(string, []string) { panic("bug") }})
	send(t, a.dial(t, "Peer", "k", inbound.HeaderReturnRoute, "all").Send(t.Context(), text("x")))
}

func TestReply(t *testing.T) {
	t.Parallel()
	reply := &inbound.Reply{Payload: []byte(`{"a":1}`), Text: true, Metadata: transport.Metadata{"X-A": "1"}}
	tests := []struct {
		name   string
		reply  inbound.Reply
		route  string
		held   bool // the peer does not read, and goes
		want   string
		unsent bool
	}{
		{name: "said nothing", reply: *reply, want: `{"a":1}`},
		{name: "asked for all", reply: *reply, route: "all", want: `{"a":1}`},
		{name: "asked for none", reply: *reply, route: "none", unsent: true},
		{name: "gone", reply: *reply, route: "all", held: true, unsent: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			unsent := make(chan *inbound.Reply, 1)
			a := start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) { return &test.reply, nil },
				inbound.Options{Tenants: peers(t), Unsent: func(_ context.Context, _ *inbound.Message, r *inbound.Reply) error {
					unsent <- r
					return nil
				}})
			c := a.dial(t, "Peer", "k")
			c.Hold(test.held)
			send(t, c.Send(t.Context(), text("x", inbound.HeaderReturnRoute, test.route)))
			if test.held {
				c.Close()
			}
			if test.unsent {
				if got := <-unsent; string(got.Payload) != `{"a":1}` || got.ID.IsZero() {
					t.Errorf("unsent: %+v", got)
				}
				return
			}
			got, err := c.Receive(t.Context())
			send(t, err)
			if string(got.Frame.Body) != test.want || got.ID.IsZero() || got.Frame.Header["X-A"] != "1" {
				t.Errorf("the peer got %+v", got)
			}
		})
	}
}

// TestUnsentReplyFails: where a reply is lost because nobody takes it, the sender
// is not told that all is well.
func TestUnsentReplyFails(t *testing.T) {
	t.Parallel()
	a := start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) { return &inbound.Reply{}, nil },
		inbound.Options{Unsent: func(context.Context, *inbound.Message, *inbound.Reply) error { return errors.New("full") }})
	err := a.dial(t, inbound.HeaderReturnRoute, "none").Send(t.Context(), text("x"))
	if inbound.RefusalOf(err) != inbound.Failed {
		t.Errorf("%v", err)
	}
}

// TestReplyIsStamped: a reply is signed as what is delivered otherwise is.
func TestReplyIsStamped(t *testing.T) {
	t.Parallel()
	format, err := webhook.New(webhook.Options{})
	if err != nil {
		t.Fatal(err)
	}
	formats, err := wireformat.NewRegistry(append(wireformat.Builtin(), format)...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.New("signs", profile.Options{Secrets: map[string]transport.Secret{webhook.DefaultSecretName: transport.NewSecret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")}})
	if err != nil {
		t.Fatal(err)
	}
	a := start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		return &inbound.Reply{WireFormat: webhook.DefaultName, Payload: []byte(`{"a":1}`), Metadata: transport.Metadata{"X-A": "1"}}, nil
	}, inbound.Options{Tenants: inbound.Fixed(p), Formats: formats})
	answer, err := a.mem.Post(t.Context(), origin(), text("x"))
	send(t, err)
	got, _, err := format.Parse(t.Context(), p, answer.Frame)
	if err != nil || got.ID != answer.ID || string(got.Payload) != `{"a":1}` || answer.Frame.Header["X-A"] != "1" {
		t.Errorf("%+v with %v: %v", got, answer.Frame.Header, err)
	}
}

func TestReplyThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	a := start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		return &inbound.Reply{WireFormat: "json", Payload: []byte("no JSON")}, nil
	}, inbound.Options{})
	if err := a.dial(t).Send(t.Context(), text("x")); !errors.Is(err, wireformat.ErrEncode) || inbound.RefusalOf(err) != inbound.Failed {
		t.Errorf("%v", err)
	}
}

// TestHandlersAreBounded: a message waits for a handler as long as it may.
func TestHandlersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		a := start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
			<-release
			return nil, nil
		}, inbound.Options{Handlers: 1})
		first, second := a.dial(t), a.dial(t)
		done := make(chan error, 2)
		go func() { done <- first.Send(t.Context(), text("x")) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := second.Send(ctx, text("x")); inbound.RefusalOf(err) != inbound.Busy {
			t.Errorf("%v, want busy", err)
		}
		go func() { done <- second.Send(t.Context(), text("x")) }()
		synctest.Wait()
		close(release)
		send(t, errors.Join(<-done, <-done))
	})
}

func TestHandlerTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := start(t, func(ctx context.Context, _ *inbound.Message) (*inbound.Reply, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, inbound.Options{HandlerTimeout: time.Second})
		begun := time.Now()
		err := a.dial(t).Send(t.Context(), text("x"))
		if inbound.RefusalOf(err) != inbound.Failed || time.Since(begun) != time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}

func TestSessionLimits(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{Tenants: peers(t, "a", "b"), MaxSessions: 3, MaxSessionsPerProfile: 1})
	first, second := a.dial(t), a.dial(t)
	send(t, first.Send(t.Context(), text("x", "Tenant", "a")))
	send(t, first.Send(t.Context(), text("x", "Tenant", "a")))
	if err := second.Send(t.Context(), text("x", "Tenant", "a")); inbound.RefusalOf(err) != inbound.Busy {
		t.Errorf("the second session of a profile: %v, want busy", err)
	}
	send(t, second.Send(t.Context(), text("x", "Tenant", "b")))
	third := a.dial(t)
	if _, err := a.mem.Dial(origin()); !errors.Is(err, inbound.ErrBusy) {
		t.Errorf("the fourth session: %v, want ErrBusy", err)
	}
	first.Close()
	send(t, third.Send(t.Context(), text("x", "Tenant", "a")))
	if _, err := a.mem.Dial(origin()); err != nil {
		t.Error(err)
	}
}

// TestManyKeysOnOneSession: what is beyond the limit is handled and not kept.
func TestManyKeysOnOneSession(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{Tenants: peers(t), MaxKeysPerSession: 2})
	c := a.dial(t, inbound.HeaderReturnRoute, "all")
	for _, key := range []string{"1", "2", "3"} {
		send(t, c.Send(t.Context(), text("x", "Peer", key)))
	}
	if !a.Reaches(tenant, peer("2")) || a.Reaches(tenant, peer("3")) {
		t.Error("want the first two keys and no other")
	}
}

// TestLongNames: what is too long to be anybody's name is handled and not kept.
func TestLongNames(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{Tenants: peers(t)})
	c := a.dial(t)
	long := strings.Repeat("x", 1025)
	send(t, c.Send(t.Context(), text("x", "Peer", long, inbound.HeaderReturnRoute, "all")))
	send(t, c.Send(t.Context(), text("x", "Peer", "k", inbound.HeaderReturnRoute, "thread", inbound.HeaderThreadID, long)))
	if got := a.Sessions()[0]; len(got.Peers) != 0 || a.Reaches(tenant, peer(long)) {
		t.Errorf("%+v", got.Peers)
	}
}

// TestHandshakeNamesNoMessage: what holds for a connection is no message's id.
func TestHandshakeNamesNoMessage(t *testing.T) {
	t.Parallel()
	var got inboundtest.Inbox
	a := start(t, got.Handle, inbound.Options{})
	send(t, a.dial(t, inbound.HeaderMessageID, transport.NewID(time.Now()).String()).Send(t.Context(), text("x")))
	if id := got.All()[0].ID; !id.IsZero() {
		t.Errorf("the message has the id %v", id)
	}
}

func TestSessionAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := start(t, ignore, inbound.Options{MaxSessionAge: time.Hour})
		c := a.dial(t)
		<-time.After(59 * time.Minute)
		if len(a.Sessions()) != 1 {
			t.Error("it is gone before its time")
		}
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if len(a.Sessions()) != 0 || !errors.Is(c.Reason(), inbound.ErrSessionExpired) {
			t.Errorf("it is not ended: %v", c.Reason())
		}
	})
}

// oneWay is a receiver of one connection, to which nothing can be written.
type oneWay struct {
	inbound.Base
	session *inbound.Session
}

func (*oneWay) Scheme() string  { return "oneway" }
func (*oneWay) Address() string { return "" }

func (o *oneWay) Start(_ context.Context, host inbound.Host) (err error) {
	o.session, err = host.Open(&inbound.Origin{Scheme: "oneway"}, inbound.SessionOptions{})
	return err
}

func (o *oneWay) Stop(context.Context) error {
	o.session.Close()
	return nil
}

// TestASessionThatCannotBeEnded is refused to who would close it, and stays when it is
// old: it is never said to be ending.
func TestASessionThatCannotBeEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &oneWay{}
		bus := event.New(event.Options{})
		defer bus.Close(t.Context())
		closed, err := bus.Subscribe(inbound.TopicSessionClosed, event.SubscribeOptions{})
		send(t, err)
		m := inboundtest.Start(t, ignore, inbound.Options{MaxSessionAge: time.Hour, Events: bus}, o)
		if err := m.CloseSession(o.session.ID()); !errors.Is(err, inbound.ErrLasting) {
			t.Errorf("%v, want ErrLasting", err)
		}
		<-time.After(2 * time.Hour)
		send(t, m.Stop(t.Context()))
		e, err := closed.Wait(t.Context(), nil)
		send(t, err)
		if got := e.Payload.(inbound.SessionEvent); got.Reason != "" {
			t.Errorf("it was ended: %+v", got)
		}
	})
}

func TestCloseSession(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{})
	c := a.dial(t)
	send(t, a.CloseSession(c.Session().ID()))
	if !errors.Is(c.Reason(), inbound.ErrSessionClosed) || len(a.Sessions()) != 0 {
		t.Errorf("%v, %v", c.Reason(), a.Sessions())
	}
	if err := a.CloseSession(c.Session().ID()); !errors.Is(err, transport.ErrSessionGone) {
		t.Errorf("again: %v, want ErrSessionGone", err)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{Tenants: peers(t, "acme")})
	c := a.dial(t)
	send(t, c.Send(t.Context(), text("x", "Peer", "k", inbound.HeaderReturnRoute, "thread", inbound.HeaderThreadID, "t")))
	send(t, c.Send(t.Context(), text("x", "Tenant", "acme")))
	_, err := a.Deliver(t.Context(), "acme", transport.Peer{Session: c.Session().ID()}, transport.ID{}, text("x"))
	send(t, err)
	all := a.Sessions()
	if len(all) != 1 {
		t.Fatalf("%d sessions", len(all))
	}
	got := all[0]
	if got.ID != c.Session().ID() || got.Scheme != "mem" || got.Remote != "peer:1" || got.Received != 2 || got.Sent != 1 ||
		!slices.Equal(got.Profiles, []string{"default", "acme"}) || len(got.Peers) != 2 || got.Opened.IsZero() {
		t.Errorf("%+v", got)
	}
	if p := got.Peers[0]; p.Key != "k" || p.ReturnRoute != "thread" || !slices.Equal(p.Threads, []string{"t"}) {
		t.Errorf("%+v", p)
	}
}

// TestCertificateIsAKey: a peer that only its certificate proves is reached by that.
func TestCertificateIsAKey(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{})
	o := origin(inbound.HeaderReturnRoute, "all")
	o.Certificate = &x509.Certificate{Subject: pkix.Name{CommonName: "peer"}}
	c, err := a.mem.Dial(o)
	send(t, err)
	send(t, c.Send(t.Context(), text("x")))
	if !a.Reaches(tenant, peer(inbound.PrefixCertificate+"CN=peer")) {
		t.Error("it is not reached by its subject")
	}
}

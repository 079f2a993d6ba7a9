package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat"
)

const day = 24 * time.Hour

// peers are Sessions that do as the test says.
type peers struct {
	mu       sync.Mutex
	present  map[string]bool // keys and session ids
	deliver  func(id transport.ID, f wireformat.Frame) error
	missed   func() // runs when nobody was found, before that is said
	got      []string
	attempts int
}

func (p *peers) Reaches(_ string, to transport.Peer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reaches(to)
}

func (p *peers) reaches(to transport.Peer) bool {
	return p.present[to.Session] || slices.ContainsFunc(to.Keys, func(key string) bool { return p.present[key] })
}

func (p *peers) Deliver(_ context.Context, _ string, to transport.Peer, id transport.ID, f wireformat.Frame) (transport.Evidence, error) {
	if !p.Reaches("", to) {
		if p.missed != nil {
			p.missed()
		}
		return transport.None, transport.ErrNoSession
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempts++
	if p.deliver != nil {
		if err := p.deliver(id, f); err != nil {
			return transport.None, err
		}
	}
	p.got = append(p.got, string(f.Body))
	return transport.Acknowledged, nil
}

// set opens or closes the sessions of a key.
func (p *peers) set(key string, open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.present == nil {
		p.present = map[string]bool{}
	}
	p.present[key] = open
}

func (p *peers) received() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// picksUp is a profile whose messages wait for their recipient.
func picksUp(t *testing.T, options profile.Options) profile.Directory {
	t.Helper()
	options.Pickup.Enabled = true
	tenant, err := profile.New(profile.DefaultID, options)
	if err != nil {
		t.Fatal(err)
	}
	directory, err := profile.NewStatic(tenant)
	if err != nil {
		t.Fatal(err)
	}
	return directory
}

// to names the recipients of a message.
func to(keys ...string) func(*outbound.Message) {
	return func(m *outbound.Message) { m.Target.Recipients = keys }
}

// sendTo queues a message without an endpoint.
func (f *fixture) sendTo(body string, keys ...string) outbound.Accepted {
	f.t.Helper()
	accepted, err := f.Send(f.t.Context(), outbound.Message{Payload: []byte(body), Target: wireformat.Target{Recipients: keys}})
	if err != nil {
		f.t.Fatalf("Send: %v", err)
	}
	return accepted
}

func TestASessionGoesBeforeTheEndpoint(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sessions := &peers{}
		sessions.set("bob", true)
		f := start(t, &driver{}, outbound.Options{Sessions: sessions})
		id := f.send("test://a", to("bob"))
		f.wantTopics(id, "queued_for_delivery", "delivered", "sent_to_session")
		if r := f.record(id); r.Status != "sent_to_session" || r.Evidence != transport.Acknowledged || r.Endpoint != "session:bob" {
			t.Errorf("record %s %s at %s", r.Status, r.Evidence, r.Endpoint)
		}
		if len(f.driver.seen()) != 0 {
			t.Error("the endpoint got it, too")
		}
		sessions.set("bob", false)
		id = f.send("test://a", to("bob"))
		f.wantTopics(id, "queued_for_delivery", "delivered")
		if len(f.driver.seen()) != 1 {
			t.Error("the endpoint did not get what no session takes")
		}
	})
}

func TestWhatASessionDoesNotTakeGoesToTheEndpoint(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err   error
		class transport.Class
	}{
		"closed meanwhile": {transport.ErrNoSession, transport.Permanent},
		"gone for good":    {fmt.Errorf("close: %w", transport.ErrSessionGone), transport.Permanent},
		"lost in writing":  {errBroken, transport.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				sessions := &peers{deliver: func(transport.ID, wireformat.Frame) error { return test.err }}
				sessions.set("s1", true)
				f := start(t, &driver{}, outbound.Options{Sessions: sessions})
				id := f.send("test://a", func(m *outbound.Message) { m.Session = "s1" })
				f.wantTopics(id, "queued_for_delivery", "attempt_failed", "failed_over", "delivered")
				if r := f.record(id); r.Status != "queued_for_delivery" || r.Result != queue.Delivered {
					t.Errorf("record %s %s", r.Status, r.Result)
				}
				attempts, err := f.Attempts(t.Context(), id)
				if err != nil || len(attempts) != 2 || attempts[0].Class != test.class || attempts[1].StartedAt != attempts[0].StartedAt {
					t.Errorf("attempts %+v, %v", attempts, err)
				}
			})
		})
	}
}

func TestSessionOnly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sessions := &peers{}
		f := start(t, &driver{}, outbound.Options{Sessions: sessions, Profiles: picksUp(t, profile.Options{})})
		message := outbound.Message{Endpoint: endpoint(t, "test://a"), Target: wireformat.Target{Recipients: []string{"bob"}}, SessionOnly: true}
		if _, err := f.Send(t.Context(), message); !errors.Is(err, transport.ErrNoSession) {
			t.Errorf("without a session: %v", err)
		}
		sessions.set("bob", true)
		sessions.deliver = func(transport.ID, wireformat.Frame) error { return transport.ErrNoSession }
		accepted, err := f.Send(t.Context(), message)
		if err != nil {
			t.Fatal(err)
		}
		f.wantTopics(accepted.ID, "queued_for_delivery", "attempt_failed", "dead", "undeliverable")
	})
}

func TestAMessageWithRoutingKeysIsNotTriedOnSessions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sessions := &peers{}
		sessions.set("bob", true)
		f := start(t, &driver{}, outbound.Options{Sessions: sessions, Profiles: picksUp(t, profile.Options{Pickup: profile.Pickup{Exhausted: true}})})
		id := f.send("test://a", func(m *outbound.Message) {
			m.Target = wireformat.Target{Recipients: []string{"bob"}, Routing: []string{"mediator"}}
		})
		f.wantTopics(id, "queued_for_delivery", "delivered")
		if len(sessions.received()) != 0 {
			t.Error("a session got what is encoded for the mediator")
		}
	})
}

func TestWhatWaitsIsPickedUpInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sessions := &peers{}
		f := start(t, &driver{}, outbound.Options{Sessions: sessions, Profiles: picksUp(t, profile.Options{})})
		var want []string
		var ids []transport.ID
		for i := range 100 {
			body := fmt.Sprint(i)
			accepted := f.sendTo(body, "bob", "bob's other key")
			if accepted.Status != outbound.StatusWaitingForPickup {
				t.Fatalf("accepted as %s", accepted.Status)
			}
			want, ids = append(want, body), append(ids, accepted.ID)
		}
		pass(3 * day)
		if r := f.record(ids[0]); r.Status != "waiting_for_pickup" || r.State != queue.StatePending || r.Attempts != 0 {
			t.Errorf("waiting: %s %s after %d attempts", r.Status, r.State, r.Attempts)
		}
		all, err := f.Pickups(t.Context())
		if err != nil || len(all) != 1 || all[0].Messages != 100 || !slices.Equal(all[0].Keys, []string{"bob", "bob's other key"}) {
			t.Errorf("pickups %+v, %v", all, err)
		}
		sessions.set("bob's other key", true)
		f.Arrived("another profile", "bob's other key")
		f.Arrived(profile.DefaultID, "somebody")
		synctest.Wait()
		if got := sessions.received(); len(got) != 0 {
			t.Errorf("before the recipient arrived: %q", got)
		}
		f.Arrived(profile.DefaultID, "bob's other key")
		synctest.Wait()
		if got := sessions.received(); !slices.Equal(got, want) {
			t.Errorf("picked up: %q", got)
		}
		f.wantTopics(ids[7], "waiting_for_pickup", "delivered", "sent_to_session")
		f.sendTo("more", "bob", "bob's other key")
		synctest.Wait()
		if got := sessions.received(); got[len(got)-1] != "more" {
			t.Error("what is sent while the recipient is there waits")
		}
	})
}

func TestAnEndpointThatNobodyServesIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Sessions: &peers{}, Profiles: picksUp(t, profile.Options{})})
		id := f.send("didcomm:transport/queue", to("bob"))
		f.wantTopics(id, "waiting_for_pickup")
		id = f.send("pickup:bob", nil)
		f.wantTopics(id, "waiting_for_pickup")
	})
}

func TestAlternatesNeedAnEndpoint(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Sessions: &peers{}, Profiles: picksUp(t, profile.Options{})})
		for field, message := range map[string]outbound.Message{
			"alternates": {Endpoint: endpoint(t, "pickup:bob")},
			"endpoint":   {Endpoint: endpoint(t, "didcomm:transport/queue"), Target: wireformat.Target{Recipients: []string{"bob"}}},
		} {
			message.Alternates = []transport.Endpoint{endpoint(t, "test://a")}
			_, err := f.Send(t.Context(), message)
			if got, ok := errors.AsType[*outbound.FieldError](err); !ok || got.Field != field {
				t.Errorf("%v: %v, want %s", message.Endpoint, err, field)
			}
		}
	})
}

func TestWithoutPickupNothingWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Sessions: &peers{}})
		for want, message := range map[string]outbound.Message{
			"set pickup.enabled in profile default": {Target: wireformat.Target{Recipients: []string{"bob"}}},
			"unknown scheme":                        {Endpoint: endpoint(t, "didcomm:transport/queue"), Target: wireformat.Target{Recipients: []string{"bob"}}},
			"pickup is off":                         {Endpoint: endpoint(t, "pickup:bob")},
			"no session":                            {Session: "s1"},
			"is missing: give a URI":                {},
		} {
			_, err := f.Send(t.Context(), message)
			if field, ok := errors.AsType[*outbound.FieldError](err); !ok || !strings.Contains(field.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	})
}

func TestASessionThatBreaksOffIsFollowedByTheNext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sessions := &peers{}
		f := start(t, &driver{}, outbound.Options{Sessions: sessions, Profiles: picksUp(t, profile.Options{})})
		first, second := f.sendTo("1", "bob"), f.sendTo("2", "bob")
		sessions.deliver = func(transport.ID, wireformat.Frame) error {
			delete(sessions.present, "bob")
			return errBroken
		}
		for i := range 3 {
			sessions.set("bob", true)
			f.Arrived(profile.DefaultID, "bob")
			synctest.Wait()
			if r := f.record(first.ID); r.Attempts != i+1 || r.State != queue.StateRetry || r.Status != "waiting_for_pickup" {
				t.Errorf("after %d sessions: %d attempts, %s %s", i+1, r.Attempts, r.State, r.Status)
			}
		}
		sessions.deliver = nil
		sessions.set("bob", true)
		f.Arrived(profile.DefaultID, "bob")
		synctest.Wait()
		if got := sessions.received(); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("picked up: %q", got)
		}
		f.wantResult(second.ID, queue.Delivered)
	})
}

// A message that may have been lost with a session waits for the next one at once,
// and not for its turn to be tried on a session again.
func TestWhatIsLostWithASessionWaitsToBePickedUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sessions := &peers{}
		sessions.set("bob", true)
		sessions.deliver = func(transport.ID, wireformat.Frame) error {
			sessions.present["bob"], sessions.deliver = false, nil
			return errBroken
		}
		f := start(t, &driver{}, outbound.Options{Sessions: sessions, Profiles: picksUp(t, profile.Options{})})
		accepted := f.sendTo("hello", "bob")
		f.wantTopics(accepted.ID, "queued_for_delivery", "attempt_failed", "failed_over", "waiting_for_pickup")
		sessions.set("bob", true)
		f.Arrived(profile.DefaultID, "bob")
		f.wantTopics(accepted.ID, "delivered", "sent_to_session")
		if r := f.record(accepted.ID); r.Evidence != transport.Acknowledged || r.Endpoint != "pickup:bob" {
			t.Errorf("record %s at %s", r.Evidence, r.Endpoint)
		}
	})
}

func TestAMessageThatEndsEverySessionIsGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sessions := &peers{}
		f := start(t, &driver{}, outbound.Options{Sessions: sessions, Profiles: picksUp(t, profile.Options{})})
		poison, next := f.sendTo("poison", "bob"), f.sendTo("next", "bob")
		sessions.set("bob", true)
		sessions.deliver = func(id transport.ID, _ wireformat.Frame) error {
			if id == poison.ID {
				return errBroken
			}
			return nil
		}
		f.Arrived(profile.DefaultID, "bob")
		synctest.Wait()
		f.wantResult(poison.ID, queue.Dead)
		f.wantResult(next.ID, queue.Delivered)
		if sessions.attempts != 26 {
			t.Errorf("%d attempts, want 25 for the poison", sessions.attempts)
		}
	})
}

func TestWhatIsExhaustedWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sessions := &peers{}
		d := &driver{handle: func(context.Context, *outbound.Message) error { return fail(transport.Temporary) }}
		retry := outbound.RetryPolicy{Base: time.Second, MaxAttempts: 5, MaxAge: day}
		f := start(t, d, outbound.Options{Sessions: sessions, Retry: retry, Profiles: picksUp(t, profile.Options{
			Pickup: profile.Pickup{Exhausted: true, TTL: time.Hour}, Limits: profile.Limits{MaxPickupMessages: 1},
		})})
		id := f.send("test://a", to("bob"))
		pass(time.Minute)
		if len(d.seen()) != 5 {
			t.Errorf("%d attempts at the endpoint, want 5", len(d.seen()))
		}
		got := f.topics(id)
		if tail := got[len(got)-3:]; tail[0] != "outbound-message::attempt_failed" || tail[1] != "outbound-message::failed_over" || tail[2] != "outbound-message::waiting_for_pickup" {
			t.Errorf("events end with %q", tail)
		}
		if r := f.record(id); r.Status != "waiting_for_pickup" || r.ExpiresAt.Sub(r.CreatedAt) != day+time.Hour {
			t.Errorf("%s, expires after %v", r.Status, r.ExpiresAt.Sub(r.CreatedAt))
		}
		second := f.send("test://a", to("bob")) // there is no room for another
		pass(time.Minute)
		f.wantResult(second, queue.Dead)
		sessions.set("bob", true)
		f.Arrived(profile.DefaultID, "bob")
		synctest.Wait()
		if r := f.record(id); r.Status != "sent_to_session" {
			t.Errorf("in the end: %s %s", r.State, r.Status)
		}
	})
}

func TestPickupIsBoundedPerRecipient(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Sessions: &peers{}, Profiles: picksUp(t, profile.Options{
			Limits: profile.Limits{MaxPickupMessages: 2, MaxPickupBytes: 10},
		})})
		send := func(size int, key string) error {
			_, err := f.Send(t.Context(), outbound.Message{Payload: make([]byte, size), Target: wireformat.Target{Recipients: []string{key}}})
			return err
		}
		if err := errors.Join(send(1, "bob"), send(1, "bob"), send(1, "carol")); err != nil {
			t.Fatal(err)
		}
		for limit, err := range map[string]error{"max_pickup_messages": send(1, "bob"), "max_pickup_bytes": send(10, "carol")} {
			if quota, ok := errors.AsType[*outbound.QuotaError](err); !ok || quota.Limit != limit {
				t.Errorf("%s: %v", limit, err)
			}
		}
		batch := []outbound.Message{{Target: wireformat.Target{Recipients: []string{"dan"}}}, {Target: wireformat.Target{Recipients: []string{"bob"}}}}
		if _, err := f.SendBatch(t.Context(), batch); !errors.Is(err, outbound.ErrQuotaExceeded) {
			t.Errorf("a batch: %v", err)
		}
		if _, err := f.Cancel(t.Context(), queue.Query{Destination: "pickup:bob"}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(send(1, "bob"), send(1, "dan"), send(1, "dan")); err != nil {
			t.Errorf("when there is room again: %v", err)
		}
	})
}

func TestPickupsShowWhatCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Sessions: &peers{}, Profiles: picksUp(t, profile.Options{})})
		f.sendTo("to two", "carol@home", "bob")
		const unreadable = "pickup:%zz"
		_, err := f.store.Enqueue(t.Context(), []queue.Message{{
			ID: f.store.NewID(), Lane: queue.Lane{Profile: profile.DefaultID, Destination: unreadable}, NotBefore: time.Now().Add(time.Hour),
		}})
		if err != nil {
			t.Fatal(err)
		}
		all, err := f.Pickups(t.Context())
		if err != nil || len(all) != 2 {
			t.Fatalf("%+v, %v, want two", all, err)
		}
		if all[0].Endpoint != unreadable || len(all[0].Keys) != 0 {
			t.Errorf("what cannot be read: %+v", all[0])
		}
		if all[1].Endpoint != "pickup:bob,carol%40home" || !slices.Equal(all[1].Keys, []string{"bob", "carol@home"}) {
			t.Errorf("what waits for two keys: %+v", all[1])
		}
		if page, err := f.List(t.Context(), queue.Query{Endpoint: all[1].Endpoint}); err != nil || len(page.Records) != 1 {
			t.Errorf("%d messages listed, %v", len(page.Records), err)
		}
	})
}

func TestWhatNobodyPicksUpExpires(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Sessions: &peers{}, Profiles: picksUp(t, profile.Options{})})
		accepted := f.sendTo("hello", "bob")
		pass(profile.DefaultPickupTTL + time.Second)
		f.wantTopics(accepted.ID, "waiting_for_pickup", "expired", "undeliverable")
		if stats, err := f.Stats(t.Context()); err != nil || stats.Backlog.Waiting() != 0 {
			t.Errorf("%d wait, %v", stats.Backlog.Waiting(), err)
		}
	})
}

func TestWhatWaitsIsKeptOverARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, err := memqueue.New(memqueue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = store.Close(t.Context()) }()
		profiles := picksUp(t, profile.Options{Limits: profile.Limits{MaxPickupMessages: 3}})
		before := startOver(t, store, nil, outbound.Options{Sessions: &peers{}, Profiles: profiles})
		var ids []transport.ID
		for i := range 3 {
			ids = append(ids, before.sendTo(fmt.Sprint(i), "bob").ID)
		}
		before.close()
		sessions := &peers{}
		after := startOver(t, store, nil, outbound.Options{Sessions: sessions, Profiles: profiles})
		if _, err := after.Send(t.Context(), outbound.Message{Target: wireformat.Target{Recipients: []string{"bob"}}}); !errors.Is(err, outbound.ErrQuotaExceeded) {
			t.Errorf("a fourth message: %v", err)
		}
		synctest.Wait()
		sessions.set("bob", true)
		after.Arrived(profile.DefaultID, "bob")
		synctest.Wait()
		if got := sessions.received(); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("picked up: %q", got)
		}
		if r := after.record(ids[0]); r.Attempts != 1 {
			t.Errorf("%d attempts: looking whether somebody is there is none", r.Attempts)
		}
	})
}

func TestARecipientThatArrivesWhileItIsLookedForIsFound(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sessions := &peers{}
		f := start(t, &driver{}, outbound.Options{Sessions: sessions, Profiles: picksUp(t, profile.Options{})})
		sessions.missed = func() {
			sessions.set("bob", true)
			f.Arrived(profile.DefaultID, "bob")
		}
		accepted := f.sendTo("hello", "bob")
		synctest.Wait()
		f.wantResult(accepted.ID, queue.Delivered)
	})
}

// TestNobodyArrivesUnnoticed has recipients come and go while messages are sent to
// them: none may wait for somebody who is there.
func TestNobodyArrivesUnnoticed(t *testing.T) {
	t.Parallel()
	sessions := &peers{}
	f := start(t, &driver{}, outbound.Options{Sessions: sessions, Profiles: picksUp(t, profile.Options{Limits: profile.Limits{MaxPickupMessages: 1 << 20}})})
	const recipients, rounds = 5, 200
	var all sync.WaitGroup
	for i := range recipients {
		key := fmt.Sprint("peer", i)
		all.Go(func() {
			for round := range rounds {
				f.sendTo(fmt.Sprint(round), key, "other"+key)
			}
		})
		all.Go(func() {
			for range rounds {
				sessions.set(key, true)
				f.Arrived(profile.DefaultID, key)
				sessions.set(key, false)
			}
			sessions.set(key, true)
			f.Arrived(profile.DefaultID, key)
		})
	}
	all.Wait()
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(sessions.received()); got != recipients*rounds {
		t.Errorf("%d messages, want %d", got, recipients*rounds)
	}
}

// written is a driver for an external queue that confirms nothing.
type written struct{ external }

func (w *written) HandleMessage(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	receipt, err := w.external.HandleMessage(ctx, m)
	receipt.Evidence = transport.Written
	return receipt, err
}

func TestAProfileRoutesToAnExternalQueue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tenant, err := profile.New(profile.DefaultID, profile.Options{Route: endpoint(t, "queue://broker/out")})
		if err != nil {
			t.Fatal(err)
		}
		profiles, err := profile.NewStatic(tenant)
		if err != nil {
			t.Fatal(err)
		}
		outside := &external{driver{schemes: []string{"queue"}}}
		f := startWith(t, outside, outbound.Options{Profiles: profiles})
		direct := &driver{}
		if err := f.Register(direct); err != nil {
			t.Fatal(err)
		}
		id := f.send("gopher://a/b?token=1#key", nil) // nobody here has to know the scheme
		f.wantTopics(id, "queued_for_delivery", "delivered", "sent_to_external_queue")
		if got := outside.seen(); len(got) != 1 || got[0].message.Metadata[outbound.MetadataEndpoint] != "gopher://a/b?token=1#key" || got[0].endpoint != "queue://broker/out" {
			t.Errorf("the queue got %+v", got)
		}
		id = f.send("test://hook", func(m *outbound.Message) { m.Direct = true })
		f.wantTopics(id, "queued_for_delivery", "delivered")
		if len(direct.seen()) != 1 {
			t.Error("what goes out directly did not")
		}
		_, err = f.Send(t.Context(), outbound.Message{Endpoint: endpoint(t, "test://a"), Alternates: []transport.Endpoint{endpoint(t, "test://b")}})
		if field, ok := errors.AsType[*outbound.FieldError](err); !ok || field.Field != "alternates" {
			t.Errorf("alternates: %v", err)
		}
		if err := f.Replace(t.Context(), &written{external{driver{schemes: []string{"queue"}}}}); err != nil {
			t.Fatal(err)
		}
		id = f.send("test://a", nil)
		f.wantTopics(id, "queued_for_delivery", "delivered") // written, but not confirmed
		if err := f.Replace(t.Context(), &driver{schemes: []string{"queue"}}); err != nil {
			t.Fatal(err)
		}
		_, err = f.Send(t.Context(), outbound.Message{Endpoint: endpoint(t, "test://a")})
		if field, ok := errors.AsType[*outbound.FieldError](err); !ok || field.Field != "profile" {
			t.Errorf("a route that is no external queue: %v", err)
		}
	})
}

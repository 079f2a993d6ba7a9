package inbound_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

const tenant = profile.DefaultID

func peer(keys ...string) transport.Peer { return transport.Peer{Keys: keys} }

func send(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestReturnRoute: what each sequence of messages leaves the session to take.
func TestReturnRoute(t *testing.T) {
	t.Parallel()
	all, none, thread := "all", "none", "thread"
	type step struct{ peer, route, thread string }
	tests := []struct {
		name  string
		steps []step
		to    transport.Peer
		want  bool
	}{
		{"nothing asked", []step{{"k", "", ""}}, peer("k"), false},
		{"all", []step{{"k", all, ""}}, peer("k"), true},
		{"all, another thread", []step{{"k", all, "t1"}}, transport.Peer{Keys: []string{"k"}, Thread: "t2"}, true},
		{"none", []step{{"k", none, ""}}, peer("k"), false},
		{"an unknown route", []step{{"k", "sometimes", ""}}, peer("k"), false},
		{"one of several keys", []step{{"k", all, ""}}, peer("a", "k"), true},
		{"somebody else's key", []step{{"k", all, ""}}, peer("a"), false},
		{"its thread", []step{{"k", thread, "t1"}}, transport.Peer{Keys: []string{"k"}, Thread: "t1"}, true},
		{"another thread", []step{{"k", thread, "t1"}}, transport.Peer{Keys: []string{"k"}, Thread: "t2"}, false},
		{"no thread", []step{{"k", thread, "t1"}}, peer("k"), false},
		{"a thread without an id", []step{{"k", thread, ""}}, peer("k"), false},
		{"two threads, the first", []step{{"k", thread, "t1"}, {"k", thread, "t2"}}, transport.Peer{Keys: []string{"k"}, Thread: "t1"}, true},
		{"all, then silence", []step{{"k", all, ""}, {"k", "", ""}}, peer("k"), true},
		{"all, then a thread", []step{{"k", all, ""}, {"k", thread, "t1"}}, peer("k"), true},
		{"all, then none", []step{{"k", all, ""}, {"k", none, ""}}, peer("k"), false},
		{"all, then none of another key", []step{{"k", all, ""}, {"a", none, ""}}, peer("k"), true},
		{"none, then all", []step{{"k", none, ""}, {"k", all, ""}}, peer("k"), true},
		{"none, then silence", []step{{"k", none, ""}, {"k", "", ""}}, peer("k"), false},
		{"nobody proven", []step{{"", all, ""}}, peer("k"), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := start(t, ignore, inbound.Options{Tenants: peers(t)})
			c := a.dial(t)
			for _, s := range test.steps {
				send(t, c.Send(t.Context(), text("x", "Peer", s.peer, inbound.HeaderReturnRoute, s.route, inbound.HeaderThreadID, s.thread)))
			}
			if got := a.Reaches(tenant, test.to); got != test.want {
				t.Fatalf("Reaches: %v, want %v", got, test.want)
			}
			if a.Reaches("other", test.to) {
				t.Error("another profile reaches the peer")
			}
			evidence, err := a.Deliver(t.Context(), tenant, test.to, transport.NewID(time.Now()), text("hello"))
			switch {
			case !test.want && !errors.Is(err, transport.ErrNoSession):
				t.Errorf("Deliver: %v, %v, want ErrNoSession", evidence, err)
			case test.want && (err != nil || evidence != transport.Written):
				t.Errorf("Deliver: %v, %v, want written", evidence, err)
			}
			if test.want {
				got, err := c.Receive(t.Context())
				send(t, err)
				if string(got.Frame.Body) != "hello" {
					t.Errorf("the peer got %q", got.Frame.Body)
				}
			}
			c.Close()
			if a.Reaches(tenant, test.to) {
				t.Error("the peer is reached on a session that is closed")
			}
		})
	}
}

// TestReturnRouteOfJSON: a decorator is heeded; the sender is who the connection
// says it is.
func TestReturnRouteOfJSON(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{Tenants: peers(t)})
	c := a.dial(t, "Peer", "k")
	send(t, c.Send(t.Context(), jsonFrame(t, map[string]any{
		"@id": "1", "~thread": map[string]any{"thid": "t1"}, "~transport": map[string]any{"return_route": "thread"},
	})))
	if !a.Reaches(tenant, transport.Peer{Keys: []string{"k"}, Thread: "t1"}) || a.Reaches(tenant, peer("k")) {
		t.Error("the decorator's thread is not what is taken")
	}
}

// claiming is a wire format whose messages name a sender, with proof or without.
type claiming struct {
	wireformat.Raw
	signed, authenticated bool
}

func (c *claiming) Name() string { return "claiming" }

func (c *claiming) Parse(ctx context.Context, p *profile.Profile, f wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	m, _, err := c.Raw.Parse(ctx, p, f)
	return m, wireformat.Receipt{Format: c.Name(), Sender: string(f.Body), Signed: c.signed, Authenticated: c.authenticated, ReturnRoute: f.Header["Route"]}, err
}

// TestSenderMustBeProven: nobody takes over another's messages by naming its key.
func TestSenderMustBeProven(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		format      claiming
		compatible  bool
		reaches     string // key
		unreachable string
	}{
		{"unproven", claiming{}, false, "own", "did:claimed"},
		{"signed", claiming{signed: true}, false, "did:claimed", "own"},
		{"encrypted by the sender", claiming{authenticated: true}, false, "did:claimed#key-2", "own"},
		{"unproven, trusted", claiming{}, true, "did:claimed", "own"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			formats, err := wireformat.NewRegistry(&test.format)
			send(t, err)
			a := start(t, ignore, inbound.Options{Tenants: peers(t), Formats: formats, TrustUnsignedSenders: test.compatible})
			c := a.dial(t, "Peer", "own")
			f := text("did:claimed#key-1", "Route", "all") // a key of the DID: its others reach it, too
			f.ContentType = "application/octet-stream"
			send(t, c.Send(t.Context(), f))
			if !a.Reaches(tenant, peer(test.reaches)) {
				t.Errorf("%s is not reached", test.reaches)
			}
			if a.Reaches(tenant, peer(test.unreachable)) {
				t.Errorf("%s is reached", test.unreachable)
			}
		})
	}
}

// TestTwoSpellingsOfAKey: whoever is known by a verkey is reached by its did:key, and
// the other way round, whether a message or the connection has shown it.
func TestTwoSpellingsOfAKey(t *testing.T) {
	t.Parallel()
	const verkey, did = "8HH5gYEeNc3z7PYXmd54d4x6qAfCNrqQqEB3nS7Zfu7K", "did:key:z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th"
	for _, shown := range []string{verkey, did, did + "#z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th"} {
		for _, proves := range []string{"message", "connection"} {
			t.Run(proves+" shows "+shown, func(t *testing.T) {
				t.Parallel()
				formats, err := wireformat.NewRegistry(&claiming{authenticated: proves == "message"})
				send(t, err)
				a := start(t, ignore, inbound.Options{Tenants: peers(t), Formats: formats})
				c := a.dial(t, "Peer", shown, inbound.HeaderReturnRoute, "all")
				f := text(shown, "Route", "all")
				f.ContentType = "application/octet-stream"
				send(t, c.Send(t.Context(), f))
				for _, key := range []string{verkey, did, did + "#key-1"} {
					_, err := a.Deliver(t.Context(), tenant, peer(key), transport.ID{}, text("x"))
					if !a.Reaches(tenant, peer(key)) || err != nil {
						t.Errorf("%s is not reached: %v", key, err)
					}
				}
			})
		}
	}
}

// TestSeveralSessions: the preferred one first, then the oldest; one that is full
// is passed over.
func TestSeveralSessions(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{Tenants: peers(t), MaxReplies: 1})
	ask := func() (string, func() string) {
		c := a.dial(t, "Peer", "k", inbound.HeaderReturnRoute, "all")
		send(t, c.Send(t.Context(), text("x")))
		return c.Session().ID(), func() string {
			got, err := c.Receive(t.Context())
			send(t, err)
			return string(got.Frame.Body)
		}
	}
	_, first := ask()
	second, fromSecond := ask()
	deliver := func(to transport.Peer, body string) {
		t.Helper()
		if _, err := a.Deliver(t.Context(), tenant, to, transport.ID{}, text(body)); err != nil {
			t.Fatal(err)
		}
	}
	deliver(peer("k"), "1")
	deliver(transport.Peer{Keys: []string{"k"}, Session: second}, "2")
	deliver(transport.Peer{Keys: []string{"k"}, Session: "gone"}, "3")
	if got := []string{first(), first(), fromSecond()}; !slices.Equal(got, []string{"1", "3", "2"}) {
		t.Errorf("the sessions got %v", got)
	}
}

// TestTwoTenantsOnOneConnection: what one of them has asked for says nothing of the
// other, though they have the same key.
func TestTwoTenantsOnOneConnection(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{Tenants: peers(t, "red", "blue")})
	c := a.dial(t)
	ask := func(name, route string) {
		t.Helper()
		send(t, c.Send(t.Context(), text("x", "Tenant", name, "Peer", "k", inbound.HeaderReturnRoute, route)))
	}
	want := func(name string, to transport.Peer, taken bool) {
		t.Helper()
		_, err := a.Deliver(t.Context(), name, to, transport.ID{}, text("for "+name))
		if taken != (err == nil) || err != nil && !errors.Is(err, transport.ErrNoSession) {
			t.Errorf("for %s: %v", name, err)
		}
		if !taken {
			return
		}
		if got, err := c.Receive(t.Context()); err != nil || string(got.Frame.Body) != "for "+name {
			t.Errorf("for %s: got %v, %v", name, got, err)
		}
	}
	named := transport.Peer{Session: c.Session().ID()}
	ask("red", "all")
	want("red", peer("k"), true)
	want("blue", peer("k"), false)
	want("blue", named, false) // a session's id is no way to it, either
	ask("blue", "none")
	want("red", peer("k"), true)
	want("blue", peer("k"), false)
	ask("blue", "all")
	ask("red", "none")
	want("red", peer("k"), false)
	want("red", named, false)
	want("blue", peer("k"), true)
	want("blue", named, true)
}

func TestFullSessionIsPassedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := start(t, ignore, inbound.Options{Tenants: peers(t), MaxReplies: 2, MaxReplyBytes: 10})
		stuck := a.dial(t, "Peer", "k", inbound.HeaderReturnRoute, "all")
		stuck.Hold(true)
		send(t, stuck.Send(t.Context(), text("x")))
		results := make(chan error, 3)
		deliver := func(body string) {
			go func() {
				_, err := a.Deliver(t.Context(), tenant, peer("k"), transport.ID{}, text(body))
				results <- err
			}()
			synctest.Wait()
		}
		deliver("longer than ten bytes") // one is always taken
		deliver("short")
		if err := <-results; !errors.Is(err, transport.ErrNoSession) {
			t.Fatalf("beyond MaxReplyBytes: %v, want ErrNoSession", err)
		}
		free := a.dial(t, "Peer", "k", inbound.HeaderReturnRoute, "all")
		send(t, free.Send(t.Context(), text("x")))
		deliver("short")
		send(t, <-results)
		stuck.Close() // its message goes to the other session
		send(t, <-results)
		for _, want := range []string{"short", "longer than ten bytes"} {
			got, err := free.Receive(t.Context())
			send(t, err)
			if string(got.Frame.Body) != want {
				t.Errorf("the other session got %q, want %q", got.Frame.Body, want)
			}
		}
	})
}

// TestFullSessionTellsWhenItHasRoom: whoever waits for the recipient is not told of
// an arrival otherwise, since the recipient is there all the time.
func TestFullSessionTellsWhenItHasRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		arrived := make(chan string, 10)
		a := start(t, ignore, inbound.Options{
			Tenants: peers(t), MaxReplies: 4,
			OnArrival: func(profile string, keys []string) { arrived <- profile + ":" + keys[0] },
		})
		c := a.dial(t, "Peer", "k", inbound.HeaderReturnRoute, "all")
		send(t, c.Send(t.Context(), text("x")))
		send(t, c.Send(t.Context(), text("x", "Peer", "other", inbound.HeaderReturnRoute, "all")))
		<-arrived
		<-arrived
		c.Hold(true)
		results := make(chan error, 10)
		for range 6 {
			go func() {
				_, err := a.Deliver(t.Context(), tenant, peer("k"), transport.ID{}, text("hello"))
				results <- err
			}()
			synctest.Wait()
		}
		for range 2 {
			if err := <-results; !errors.Is(err, transport.ErrNoSession) {
				t.Fatalf("beyond MaxReplies: %v, want ErrNoSession", err)
			}
		}
		if len(arrived) != 0 {
			t.Error("an arrival is told while the session is full")
		}
		c.Hold(false)
		for range 4 {
			send(t, <-results)
		}
		synctest.Wait()
		if got := <-arrived; got != "default:k" || len(arrived) != 0 {
			t.Errorf("told of %s, and of %d more", got, len(arrived))
		}
	})
}

// TestDeliverEndsWithItsContext: what nobody has begun to write is taken back.
func TestDeliverEndsWithItsContext(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{Tenants: peers(t)})
	c := a.dial(t, "Peer", "k", inbound.HeaderReturnRoute, "all")
	send(t, c.Send(t.Context(), text("x")))
	c.Hold(true)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := a.Deliver(ctx, tenant, peer("k"), transport.ID{}, text("late"))
		result <- err
	}()
	for len(a.Sessions()) != 1 || a.Sessions()[0].Queued == 0 {
		<-time.After(time.Millisecond)
	}
	cancel()
	if err := <-result; !errors.Is(err, transport.ErrNoSession) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want ErrNoSession and the context's", err)
	}
	c.Hold(false)
	send(t, c.Send(t.Context(), text("x")))
	if info := a.Sessions()[0]; info.Sent != 0 || info.Queued != 0 {
		t.Errorf("it was written all the same: %+v", info)
	}
}

func TestSessionByID(t *testing.T) {
	t.Parallel()
	a := start(t, ignore, inbound.Options{Tenants: peers(t, "other")})
	c := a.dial(t)
	only := transport.Peer{Session: c.Session().ID(), Thread: "any"}
	if _, err := a.Deliver(t.Context(), tenant, only, transport.ID{}, text("x")); !errors.Is(err, transport.ErrNoSession) {
		t.Errorf("before its first message: %v, want ErrNoSession", err)
	}
	send(t, c.Send(t.Context(), text("x")))
	if _, err := a.Deliver(t.Context(), "other", only, transport.ID{}, text("x")); !errors.Is(err, transport.ErrNoSession) {
		t.Errorf("from another profile: %v, want ErrNoSession", err)
	}
	if _, err := a.Deliver(t.Context(), tenant, only, transport.ID{}, text("x")); err != nil {
		t.Error(err)
	}
	send(t, c.Send(t.Context(), text("x", inbound.HeaderReturnRoute, "none")))
	if _, err := a.Deliver(t.Context(), tenant, only, transport.ID{}, text("x")); !errors.Is(err, transport.ErrNoSession) {
		t.Errorf("after it said none: %v, want ErrNoSession", err)
	}
	c.Close()
	if _, err := a.Deliver(t.Context(), tenant, only, transport.ID{}, text("x")); !errors.Is(err, transport.ErrSessionGone) {
		t.Errorf("after it closed: %v, want ErrSessionGone", err)
	}
}

// TestHeldAnswer: a request is held open for what Reaches has announced, and for
// nothing else.
func TestHeldAnswer(t *testing.T) {
	t.Parallel()
	ask := origin("Peer", "k", inbound.HeaderReturnRoute, "all")
	t.Run("announced and delivered", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var a *agent
			delivered := make(chan error, 1)
			a = start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
				if !a.Reaches(tenant, peer("k")) {
					return nil, errors.New("not reached")
				}
				go func() {
					<-time.After(3 * time.Second)
					_, err := a.Deliver(t.Context(), tenant, peer("k"), transport.ID{}, text("later"))
					delivered <- err
				}()
				return nil, nil
			}, inbound.Options{Tenants: peers(t)})
			answer, err := a.mem.Post(t.Context(), ask, text("x"))
			send(t, err)
			if answer == nil || string(answer.Frame.Body) != "later" {
				t.Fatalf("the answer is %v", answer)
			}
			send(t, <-delivered)
		})
	})
	t.Run("announced and not delivered", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var a *agent
			a = start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
				a.Reaches(tenant, peer("k"))
				return nil, nil
			}, inbound.Options{Tenants: peers(t), ReplyWait: time.Minute})
			started := time.Now()
			answer, err := a.mem.Post(t.Context(), ask, text("x"))
			if answer != nil || err != nil || time.Since(started) != time.Minute {
				t.Errorf("after %v: %v, %v", time.Since(started), answer, err)
			}
		})
	})
	t.Run("not announced", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			a := start(t, ignore, inbound.Options{Tenants: peers(t)})
			started := time.Now()
			answer, err := a.mem.Post(t.Context(), ask, text("x"))
			if answer != nil || err != nil || time.Since(started) != 0 {
				t.Errorf("after %v: %v, %v", time.Since(started), answer, err)
			}
		})
	})
	t.Run("one answer", func(t *testing.T) {
		t.Parallel()
		var a *agent
		a = start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
			go a.Deliver(t.Context(), tenant, peer("k"), transport.ID{}, text("first")) // seen below
			for len(a.Sessions()) == 0 || a.Sessions()[0].Queued == 0 {
				<-time.After(time.Millisecond)
			}
			if a.Reaches(tenant, peer("k")) {
				return nil, errors.New("a second answer is taken")
			}
			return nil, nil
		}, inbound.Options{Tenants: peers(t)})
		answer, err := a.mem.Post(t.Context(), ask, text("x"))
		send(t, err)
		if answer == nil || string(answer.Frame.Body) != "first" {
			t.Errorf("the answer is %v", answer)
		}
	})
}

func TestOnArrival(t *testing.T) {
	t.Parallel()
	var got []string
	a := start(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		got = append(got, "handled")
		return nil, nil
	}, inbound.Options{
		Tenants:   peers(t),
		OnArrival: func(profile string, keys []string) { got = append(got, profile+":"+keys[0]) },
	})
	c := a.dial(t)
	for _, s := range [][3]string{
		{"k", "", ""}, {"k", "thread", "t1"}, {"k", "thread", "t1"}, {"k", "thread", "t2"}, {"k", "all", ""}, {"k", "all", ""},
		{"k", "none", ""}, {"k", "all", ""}, {"", "all", ""},
	} {
		send(t, c.Send(t.Context(), text("x", "Peer", s[0], inbound.HeaderReturnRoute, s[1], inbound.HeaderThreadID, s[2])))
	}
	want := []string{
		"handled", "default:k", "handled", "handled", "default:k", "handled", "default:k", "handled", "handled",
		"handled", "default:k", "handled", "handled",
	}
	if !slices.Equal(got, want) {
		t.Errorf("on a connection:\n got %v\nwant %v", got, want)
	}
	got = nil
	_, err := a.mem.Post(t.Context(), origin("Peer", "k", inbound.HeaderReturnRoute, "all"), text("x"))
	send(t, err)
	if want := []string{"handled", "default:k"}; !slices.Equal(got, want) {
		t.Errorf("in a request: got %v, want %v", got, want)
	}
}

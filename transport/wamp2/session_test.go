package wamp2_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/wamp2"
	"github.com/outrider-go/outrider/transport/wamp2/wamptest"
	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// TestEverySerializer: publish and subscribe, register and call, in each of them.
func TestEverySerializer(t *testing.T) {
	t.Parallel()
	for _, wire := range serializer.Builtin() {
		t.Run(wire.Info().ID, func(t *testing.T) {
			t.Parallel()
			s, err := wamp.NewSerializer(wire, wamp.SerializerOptions{})
			if err != nil {
				t.Fatal(err)
			}
			session := join(t, wamptest.New(t, wamptest.Options{}), wamp2.Options{Serializers: []*wamp.Serializer{s}})
			if session.SerializerID() != wire.Info().ID || session.ID() == 0 || session.Details()["authid"] != "anonymous" {
				t.Errorf("it joined with %s as %v", session.SerializerID(), session.Details())
			}
			exchange(t, session, session)
		})
	}
}

// exchange has one session publish to another, and call it.
func exchange(t *testing.T, from, to *wamp2.Session) {
	t.Helper()
	events := make(chan wamp2.Event, 1)
	sub, err := to.Subscribe(soon(t), "com.x.t", nil, func(e wamp2.Event) { events <- e })
	if err != nil {
		t.Fatal(err)
	}
	want := wamp.Payload{Args: []any{int64(1), "é", []byte{0, 1}}, Kwargs: wamp.Dict{"k": []any{nil, true, 1.5}}}
	publication, err := from.Publish(soon(t), "com.x.t", want, wamp.Dict{"exclude_me": false})
	if err != nil || publication == 0 {
		t.Fatal(publication, err)
	}
	if e := next(t, events); e.Topic != "com.x.t" || e.Publication != publication || e.Err != nil || !reflect.DeepEqual(e.Payload, want) {
		t.Errorf("the event is %+v", e)
	}
	reg, err := to.Register(soon(t), "com.x.add", nil, func(_ context.Context, call wamp2.Invocation) (wamp.Payload, error) {
		a, _ := call.Payload.Args[0].(int64)
		b, _ := call.Payload.Args[1].(int64)
		return wamp.Payload{Args: []any{a + b}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	result, err := from.Call(soon(t), "com.x.add", wamp.Payload{Args: []any{int64(2), int64(3)}}, nil)
	if err != nil || !reflect.DeepEqual(result.Args, []any{int64(5)}) {
		t.Errorf("the result is %v, %v", result.Args, err)
	}
	if err := errors.Join(sub.Unsubscribe(soon(t)), sub.Unsubscribe(soon(t)), reg.Unregister(soon(t))); err != nil {
		t.Error(err)
	}
	_, err = from.Call(soon(t), "com.x.add", wamp.Payload{}, nil)
	if refused, ok := errors.AsType[*wamp2.RefusedError](err); !ok || refused.URI != "wamp.error.no_such_procedure" {
		t.Errorf("after Unregister: %v", err)
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	options := wamptest.Options{Accounts: map[string]wamptest.Account{
		"alice": {Ticket: "ticket-1", Secret: "secret-1"}, "salted": {Secret: "secret-1", Salt: "salt"}, "key": {Key: public},
	}}
	plain := wamptest.New(t, options)
	options.TLS = true
	secured := wamptest.New(t, options)
	secret := transport.NewSecret
	for _, test := range []struct {
		name, authID string
		auth         wamp2.Authenticator
		want         string
	}{
		{"ticket", "alice", wamp2.Ticket{Ticket: secret("ticket-1")}, ""},
		{"wrong ticket", "alice", wamp2.Ticket{Ticket: secret("ticket-2")}, "wamp.error.authentication_failed"},
		{"wampcra", "alice", wamp2.CRA{Secret: secret("secret-1")}, ""},
		{"wrong secret", "alice", wamp2.CRA{Secret: secret("secret-2")}, "wamp.error.authentication_failed"},
		{"salted wampcra", "salted", wamp2.CRA{Secret: secret("secret-1")}, ""},
		{"cryptosign", "key", wamp2.Cryptosign{Key: signer{private}}, ""},
		{"bound cryptosign", "key", wamp2.Cryptosign{Key: signer{private}, Bind: true}, ""},
		{"anonymous", "alice", wamp2.Anonymous{}, "wamp.error.authentication_failed"},
		{"nobody", "bob", wamp2.Ticket{Ticket: secret("ticket-1")}, "wamp.error.authentication_failed"},
	} {
		for _, r := range []*wamptest.Router{plain, secured} {
			dial, want := wamp2.Dial(dial), test.want
			if r == secured {
				dial = dialTLS(r)
			} else if test.name == "bound cryptosign" {
				want = "no connection of TLS 1.3"
			}
			s, err := wamp2.Join(soon(t), dial, r.URL(), wamptest.Realm, wamp2.Options{AuthID: test.authID, Auth: []wamp2.Authenticator{test.auth}})
			if err == nil {
				s.Close()
			}
			if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "-2")) {
				t.Errorf("%s: %v, want %q", test.name, err, want)
			}
		}
	}
}

// TestOlderTLS: a router of TLS 1.2 can be joined, and not bound to.
func TestOlderTLS(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := wamptest.New(t, wamptest.Options{TLS: true, Accounts: map[string]wamptest.Account{"key": {Key: public}}})
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: r.Roots(), MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}}
		return dialer.DialContext(ctx, network, address)
	}
	for _, bind := range []bool{false, true} {
		s, err := wamp2.Join(soon(t), dial, r.URL(), wamptest.Realm, wamp2.Options{
			AuthID: "key", Auth: []wamp2.Authenticator{wamp2.Cryptosign{Key: signer{private}, Bind: bind}},
		})
		if err == nil {
			s.Close()
		}
		if errors.Is(err, wamp2.ErrAuth) != bind {
			t.Errorf("bound %v: %v", bind, err)
		}
	}
}

// mutual is a ticket whose router has to prove something, too.
type mutual struct{ wamp2.Ticket }

func (mutual) Method() string { return "mutual" }

func (mutual) Welcomed(_ context.Context, extra wamp.Dict) error {
	if extra["proof"] != "right" {
		return errors.New("the router's proof is wrong")
	}
	return nil
}

// TestWelcomed: the method that was used has the last word, and no router gets
// round it.
func TestWelcomed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, proof string
		more          []wamp2.Authenticator
		joins         bool
	}{
		"right":                         {"mutual", "right", nil, true},
		"wrong":                         {"mutual", "wrong", nil, false},
		"nothing":                       {"mutual", "", nil, false},
		"no method":                     {"", "", nil, false},
		"a method that was not offered": {"anonymous", "", nil, false},
		"another that was offered":      {"anonymous", "", []wamp2.Authenticator{wamp2.Anonymous{}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := wamptest.New(t, wamptest.Options{Hello: func(*wamp.Hello) ([]wamp.Message, bool) {
				details := wamp.Dict{"roles": map[string]any{"broker": map[string]any{}}}
				if test.method != "" {
					details["authmethod"] = test.method
				}
				if test.proof != "" {
					details["authextra"] = map[string]any{"proof": test.proof}
				}
				return []wamp.Message{&wamp.Welcome{Session: 1, Details: details}}, true
			}})
			s, err := wamp2.Join(soon(t), dial, r.URL(), wamptest.Realm, wamp2.Options{Auth: append(test.more, mutual{})})
			if err == nil {
				s.Close()
			}
			if (err == nil) != test.joins || err != nil && !errors.Is(err, wamp2.ErrAuth) {
				t.Errorf("%v, want it to join: %v", err, test.joins)
			}
		})
	}
}

type signer struct{ ed25519.PrivateKey }

func (s signer) PublicKey() []byte { return s.PrivateKey[32:] }

func (s signer) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(s.PrivateKey, data), nil
}

// TestRefusesChallenges that were not asked for, or are not sound: a router must
// not get a ticket by asking for it.
func TestRefusesChallenges(t *testing.T) {
	t.Parallel()
	key := signer{ed25519.NewKeyFromSeed(make([]byte, 32))}
	offered := []wamp2.Authenticator{wamp2.CRA{Secret: transport.NewSecret("canary")}, wamp2.Cryptosign{Key: key}}
	hexes := strings.Repeat("00", 32)
	for _, test := range []struct {
		name, want string
		answers    []wamp.Message
	}{
		{"not offered", "not offered", []wamp.Message{&wamp.Challenge{Method: "ticket"}}},
		{"twice", "a second challenge", []wamp.Message{
			&wamp.Challenge{Method: "wampcra", Extra: wamp.Dict{"challenge": "c"}}, &wamp.Challenge{Method: "wampcra", Extra: wamp.Dict{"challenge": "c"}}}},
		{"no text", "no text", []wamp.Message{&wamp.Challenge{Method: "wampcra"}}},
		{"iterations", "iterations", []wamp.Message{&wamp.Challenge{Method: "wampcra", Extra: wamp.Dict{"challenge": "c", "salt": "s", "iterations": int64(1 << 40)}}}},
		{"key length", "iterations", []wamp.Message{&wamp.Challenge{Method: "wampcra", Extra: wamp.Dict{"challenge": "c", "salt": "s", "keylen": int64(1 << 40)}}}},
		{"no hex", "32 bytes", []wamp.Message{&wamp.Challenge{Method: "cryptosign", Extra: wamp.Dict{"challenge": "xx"}}}},
		{"short", "32 bytes", []wamp.Message{&wamp.Challenge{Method: "cryptosign", Extra: wamp.Dict{"challenge": "00"}}}},
		{"another binding", "another channel binding", []wamp.Message{
			&wamp.Challenge{Method: "cryptosign", Extra: wamp.Dict{"challenge": hexes, "channel_binding": "tls-unique"}}}},
		{"event first", "it comes before WELCOME", []wamp.Message{&wamp.Event{}}},
		{"abort", "wamp.error.unknown", []wamp.Message{&wamp.Abort{Reason: "com.x.<canary>"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := wamptest.New(t, wamptest.Options{Hello: func(*wamp.Hello) ([]wamp.Message, bool) { return test.answers, true }})
			s, err := wamp2.Join(soon(t), dial, r.URL(), wamptest.Realm, wamp2.Options{Auth: offered})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
}

func TestJoinFails(t *testing.T) {
	t.Parallel()
	r := wamptest.New(t, wamptest.Options{Serializers: []string{"ubjson"}})
	_, err := wamp2.Join(soon(t), dial, r.URL(), wamptest.Realm, wamp2.Options{})
	if fault, ok := errors.AsType[*wamp2.HandshakeError](err); !ok || !strings.Contains(fault.Error(), "none of the serializers") {
		t.Errorf("no common serializer: %v", err)
	}
	r = wamptest.New(t, wamptest.Options{})
	_, err = wamp2.Join(soon(t), dial, r.URL(), "other", wamp2.Options{})
	if refused, ok := errors.AsType[*wamp2.JoinError](err); !ok || refused.Reason != "wamp.error.no_such_realm" {
		t.Errorf("no such realm: %v", err)
	}
	if _, err = wamp2.Join(soon(t), dial, r.URL(), "a b", wamp2.Options{}); !errors.Is(err, wamp2.ErrMessage) {
		t.Errorf("no realm at all: %v", err)
	}
	if _, err = wamp2.Join(soon(t), dial, r.URL(), "a", wamp2.Options{MaxMessage: -1}); err == nil {
		t.Error("a negative option is taken")
	}
	silent := wamptest.New(t, wamptest.Options{Hello: func(*wamp.Hello) ([]wamp.Message, bool) { return nil, true }})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = wamp2.Join(ctx, dial, silent.URL(), wamptest.Realm, wamp2.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a router that is silent: %v", err)
	}
}

// TestHandshakeIsBounded: what a server may send before the connection is up, and
// for how long it may be silent.
func TestHandshakeIsBounded(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"an endless header": "HTTP/1.1 101 Switching Protocols\r\nX: " + strings.Repeat("x", 1<<20),
		"not HTTP":          "SSH-2.0\r\n\r\n",
		"forbidden":         "HTTP/1.1 403 canary\r\nContent-Length: 0\r\n\r\n",
		"another answer":    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
		"nothing":           "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hungUp := make(chan struct{}) // by the client
			address := fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
				defer close(hungUp)
				_, _ = in.ReadByte()
				_, _ = conn.Write([]byte(answer))
				_, _ = in.WriteTo(io.Discard)
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if answer == "" {
				cancelSoon := time.AfterFunc(50*time.Millisecond, cancel)
				defer cancelSoon.Stop()
			}
			u := url.URL{Scheme: "ws", Host: address, Path: "/"}
			_, err := wamp2.Join(ctx, dial, u, "realm1", wamp2.Options{})
			if fault, ok := errors.AsType[*wamp2.HandshakeError](err); !ok || strings.Contains(fault.Error(), "canary") {
				t.Errorf("error is %v", err)
			}
			<-hungUp
			if name == "forbidden" && !strings.Contains(err.Error(), "403") || answer == "" && !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestRequestsThatFail(t *testing.T) {
	t.Parallel()
	r := wamptest.New(t, wamptest.Options{Handle: func(m wamp.Message) ([]wamp.Message, bool) {
		p, ok := m.(*wamp.Publish)
		if !ok {
			return nil, false
		}
		switch p.Topic {
		case "refused":
			return []wamp.Message{&wamp.Error{RequestType: wamp.TypePublish, Request: p.Request, Error: "wamp.error.not_authorized"}}, true
		case "silent":
			return nil, true
		}
		return nil, false
	}})
	s := join(t, r, wamp2.Options{MaxMessage: 4096})
	var failure *wamp2.RequestError
	_, err := s.Publish(soon(t), "refused", wamp.Payload{}, nil)
	if refused, ok := errors.AsType[*wamp2.RefusedError](err); !ok || refused.Error() != "PUBLISH: wamp.error.not_authorized" {
		t.Errorf("refused: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = s.Publish(ctx, "silent", wamp.Payload{}, nil); !errors.Is(err, wamp2.ErrLost) || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failure) || !failure.Begun {
		t.Errorf("silent: %v", err)
	}
	if _, err = s.Publish(ctx, "late", wamp.Payload{}, nil); !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failure) || failure.Begun {
		t.Errorf("late: %v", err)
	}
	for _, test := range []struct {
		topic string
		p     wamp.Payload
	}{
		{"a b", wamp.Payload{}}, {"long", wamp.Payload{Args: []any{make([]byte, 5000)}}}, {"odd", wamp.Payload{Args: []any{func() {}}}},
	} {
		if _, err := s.Publish(soon(t), test.topic, test.p, nil); !errors.Is(err, wamp2.ErrMessage) || !errors.As(err, &failure) || failure.Begun {
			t.Errorf("%s: %v", test.topic, err)
		}
	}
	if _, err := s.Publish(soon(t), "fine", wamp.Payload{}, nil); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

func TestCallsThatFail(t *testing.T) {
	t.Parallel()
	r := wamptest.New(t, wamptest.Options{})
	callee, caller := join(t, r, wamp2.Options{MaxInvocations: 1}), join(t, r, wamp2.Options{})
	started, ended := make(chan struct{}), make(chan error, 1)
	_, err := callee.Register(soon(t), "com.x.p", nil, func(ctx context.Context, call wamp2.Invocation) (wamp.Payload, error) {
		switch call.Payload.Args[0] {
		case "own":
			return wamp.Payload{}, &wamp2.CallError{URI: "com.x.wrong", Payload: wamp.Payload{Args: []any{"why"}}}
		case "plain":
			return wamp.Payload{}, errors.New("canary")
		case "odd":
			return wamp.Payload{Args: []any{func() {}}}, nil
		}
		close(started)
		<-ctx.Done()
		ended <- ctx.Err()
		return wamp.Payload{}, ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{"own": "com.x.wrong", "plain": "wamp.error.runtime_error", "odd": "wamp.error.runtime_error"} {
		_, err := caller.Call(soon(t), "com.x.p", wamp.Payload{Args: []any{what}}, nil)
		if refused, ok := errors.AsType[*wamp2.RefusedError](err); !ok || refused.URI != want || strings.Contains(fmt.Sprint(err, refused.Payload), "canary") {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	called := make(chan error, 1)
	go func() {
		_, err := caller.Call(ctx, "com.x.p", wamp.Payload{Args: []any{"hang"}}, nil)
		called <- err
	}()
	next(t, started)
	_, err = caller.Call(soon(t), "com.x.p", wamp.Payload{Args: []any{"own"}}, nil)
	if refused, ok := errors.AsType[*wamp2.RefusedError](err); !ok || refused.URI != "wamp.error.unavailable" {
		t.Errorf("beyond MaxInvocations: %v", err)
	}
	cancel()
	if err := next(t, called); !errors.Is(err, wamp2.ErrLost) || !errors.Is(err, context.Canceled) {
		t.Errorf("a call that is cancelled: %v", err)
	}
	if err := next(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("the callee is not told: %v", err)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*wamptest.Router, *wamp2.Session) error{
		"leave":          func(_ *wamptest.Router, s *wamp2.Session) error { return s.Leave(t.Context()) },
		"close":          func(_ *wamptest.Router, s *wamp2.Session) error { s.Close(); return nil },
		"abort":          func(_ *wamptest.Router, s *wamp2.Session) error { s.Abort(); return nil },
		"router drops":   func(r *wamptest.Router, _ *wamp2.Session) error { r.Drop(); return nil },
		"router goodbye": func(r *wamptest.Router, _ *wamp2.Session) error { r.Goodbye(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{})
			r := wamptest.New(t, wamptest.Options{Handle: func(wamp.Message) ([]wamp.Message, bool) {
				close(asked)
				return nil, true
			}})
			s := join(t, r, wamp2.Options{})
			waiting := make(chan error, 1)
			go func() {
				_, err := s.Publish(t.Context(), "com.x", wamp.Payload{}, nil)
				waiting <- err
			}()
			next(t, asked)
			if err := end(r, s); err != nil {
				t.Error(err)
			}
			next(t, s.Done())
			if err := next(t, waiting); !errors.Is(err, wamp2.ErrLost) {
				t.Errorf("what was asked before: %v", err)
			}
			var failure *wamp2.RequestError
			if _, err := s.Publish(soon(t), "com.x", wamp.Payload{}, nil); !errors.Is(err, wamp2.ErrClosed) || !errors.As(err, &failure) || failure.Begun {
				t.Errorf("what is asked afterwards: %v", err)
			}
			if !errors.Is(s.Err(), wamp2.ErrClosed) {
				t.Errorf("Err: %v", s.Err())
			}
			s.Close()
		})
	}
}

func TestProtocolViolationEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]wamp.Message{
		"another type":         &wamp.Subscribed{Request: 1},
		"from a client":        &wamp.Hello{Realm: "a", Details: wamp.Dict{"roles": map[string]any{"caller": map[string]any{}}}},
		"a second welcome":     &wamp.Welcome{Details: wamp.Dict{"roles": map[string]any{"broker": map[string]any{}}}},
		"error of another one": &wamp.Error{RequestType: wamp.TypeCall, Request: 1, Error: "a"},
	} {
		r := wamptest.New(t, wamptest.Options{Handle: func(wamp.Message) ([]wamp.Message, bool) { return []wamp.Message{answer}, true }})
		s := join(t, r, wamp2.Options{})
		if _, err := s.Publish(soon(t), "com.x", wamp.Payload{}, nil); !errors.Is(err, wamp2.ErrLost) {
			t.Errorf("%s: %v", name, err)
		}
		if !errors.Is(s.Err(), wamp.ErrProtocol) {
			t.Errorf("%s: the session ended with %v", name, s.Err())
		}
	}
}

// TestSlowHandlersEndTheSession rather than lose events.
func TestSlowHandlersEndTheSession(t *testing.T) {
	t.Parallel()
	r := wamptest.New(t, wamptest.Options{})
	slow, fast := join(t, r, wamp2.Options{EventBuffer: 2}), join(t, r, wamp2.Options{})
	goOn := make(chan struct{})
	t.Cleanup(func() { close(goOn) })
	if _, err := slow.Subscribe(soon(t), "com.x", nil, func(wamp2.Event) { <-goOn }); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := fast.Publish(soon(t), "com.x", wamp.Payload{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	next(t, slow.Done())
	if !errors.Is(slow.Err(), wamp2.ErrSlow) {
		t.Errorf("it ended with %v", slow.Err())
	}
}

func TestSilentRouterEndsTheSession(t *testing.T) {
	t.Parallel()
	r := wamptest.New(t, wamptest.Options{Mute: true})
	s := join(t, r, wamp2.Options{PingInterval: 20 * time.Millisecond})
	next(t, s.Done())
	pings := make(chan struct{}, 100)
	lively := join(t, wamptest.New(t, wamptest.Options{Pinged: func() { pings <- struct{}{} }}), wamp2.Options{PingInterval: 200 * time.Millisecond})
	for range 4 { // longer than a silent router is given
		next(t, pings)
	}
	if lively.Err() != nil {
		t.Errorf("a router that answers pings: %v", lively.Err())
	}
}

func TestCryptoboxEndToEnd(t *testing.T) {
	t.Parallel()
	seen := make(chan wamp.Payload, 10)
	r := wamptest.New(t, wamptest.Options{Handle: func(m wamp.Message) ([]wamp.Message, bool) {
		if carrier, ok := m.(wamp.Carrier); ok {
			p, _ := carrier.Carries()
			seen <- p
		}
		return nil, false
	}})
	ring := new(wamp.KeyRing)
	secret := transport.NewSecret("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
	if err := ring.Set("com.x.", wamp.CryptoboxKeys{OriginatorPrivate: secret, ResponderPrivate: secret}); err != nil {
		t.Fatal(err)
	}
	for _, style := range []wamp.Style{wamp.StyleEnc, wamp.StylePPT} {
		from, to := join(t, r, wamp2.Options{Codec: ring, Style: style}), join(t, r, wamp2.Options{Codec: ring, Style: style})
		exchange(t, from, to)
		for range 4 {
			p := next(t, seen)
			if len(p.Args) == 1 {
				p.Opaque, _ = p.Args[0].([]byte)
			}
			if p.Opaque == nil || bytes.Contains(p.Opaque, []byte("uri")) {
				t.Errorf("the router sees %v", p.Args)
			}
		}
		from.Close()
		to.Close()
	}
}

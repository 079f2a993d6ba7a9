package wamp_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// examples has each message once, those with a payload in each form of it.
func examples() []wamp.Message {
	roles := wamp.Dict{"roles": map[string]any{"publisher": map[string]any{}}}
	return []wamp.Message{
		&wamp.Hello{Realm: "realm1", Details: roles},
		&wamp.Welcome{Session: 1 << 53, Details: roles},
		&wamp.Abort{Details: wamp.Dict{"message": "no"}, Reason: "wamp.error.no_such_realm"},
		&wamp.Challenge{Method: "ticket", Extra: wamp.Dict{}},
		&wamp.Authenticate{Signature: "s", Extra: wamp.Dict{}},
		&wamp.Goodbye{Details: wamp.Dict{}, Reason: "wamp.close.normal"},
		&wamp.Error{RequestType: wamp.TypeCall, Request: 1, Details: wamp.Dict{}, Error: "com.x.wrong", Payload: wamp.Payload{Args: []any{"a"}}},
		&wamp.Publish{Request: 1, Options: wamp.Dict{"acknowledge": true}, Topic: "com.x.t", Payload: wamp.Payload{Args: []any{int64(1)}, Kwargs: wamp.Dict{"k": nil}}},
		&wamp.Published{Request: 1, Publication: 2},
		&wamp.Subscribe{Request: 1, Options: wamp.Dict{"match": "wildcard"}, Topic: "com..t"},
		&wamp.Subscribed{Request: 1, Subscription: 2},
		&wamp.Unsubscribe{Request: 1, Subscription: 2},
		&wamp.Unsubscribe{Request: 1, Subscription: 2, Options: wamp.Dict{"forward_for": []any{}}},
		&wamp.Unsubscribed{Request: 1},
		&wamp.Unsubscribed{Request: 0, Details: wamp.Dict{"subscription": int64(7)}},
		&wamp.Event{Subscription: 1, Publication: 2, Details: wamp.Dict{"enc_algo": "x_mine"}, Payload: wamp.Payload{Opaque: []byte{0, 1}}},
		&wamp.EventReceived{Publication: 9},
		&wamp.Call{Request: 1, Options: wamp.Dict{"timeout": int64(5)}, Procedure: "com.x.p"},
		&wamp.Cancel{Request: 1, Options: wamp.Dict{"mode": "kill"}},
		&wamp.Result{Request: 1, Details: wamp.Dict{"progress": true}, Payload: wamp.Payload{Args: []any{}, Kwargs: wamp.Dict{"k": "v"}}},
		&wamp.Register{Request: 1, Options: wamp.Dict{"match": "prefix", "invoke": "roundrobin"}, Procedure: "com.x."},
		&wamp.Registered{Request: 1, Registration: 2},
		&wamp.Unregister{Request: 1, Registration: 2},
		&wamp.Unregister{Request: 1, Registration: 2, Options: wamp.Dict{"forward_for": []any{}}},
		&wamp.Unregistered{Request: 1},
		&wamp.Unregistered{Details: wamp.Dict{"registration": int64(2), "reason": "gone"}},
		&wamp.Invocation{Request: 1, Registration: 2, Details: wamp.Dict{"procedure": "com.x.p"}, Payload: wamp.Payload{Args: []any{true}}},
		&wamp.Interrupt{Request: 1, Options: wamp.Dict{"mode": "killnowait"}},
		&wamp.Yield{Request: 1, Options: wamp.Dict{}, Payload: wamp.Payload{Args: []any{[]byte{1}}}},
	}
}

func builtin(t testing.TB) []*wamp.Serializer {
	t.Helper()
	var all []*wamp.Serializer
	for _, s := range serializer.Builtin() {
		made, err := wamp.NewSerializer(s, wamp.SerializerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, made)
	}
	return all
}

func TestEveryMessageInEverySerializer(t *testing.T) {
	t.Parallel()
	seen := map[wamp.Type]bool{}
	for _, s := range builtin(t) {
		for _, m := range examples() {
			seen[m.Type()] = true
			encoded, binary, err := s.Serialize(nil, m)
			if err != nil || binary != s.Binary() {
				t.Fatalf("%s %v: %v", s.ID(), m.Type(), err)
			}
			got, err := s.Unserialize(encoded, binary)
			if err != nil || !reflect.DeepEqual(got, []wamp.Message{m}) {
				t.Errorf("%s %v: %#v, %v; want %#v", s.ID(), m.Type(), got, err, m)
			}
		}
	}
	for code := range wamp.Types() {
		if !seen[code] || strings.Contains(code.String(), "type") {
			t.Errorf("%v is not among the examples, or has no name", code)
		}
	}
}

func TestParseNamesTheField(t *testing.T) {
	t.Parallel()
	s := builtin(t)[0]
	for _, test := range []struct{ text, want string }{
		{`{}`, "message: it is no list"},
		{`[]`, "message: it is empty"},
		{`["1"]`, "message: its type is no integer"},
		{`[7]`, "type 7: there is no such message"},
		{`[1,"a"]`, "HELLO: the message has a wrong number"},
		{`[1,"a b",{"roles":{"caller":{}}}]`, "HELLO.Realm: want a URI"},
		{`[1,"a",{}]`, "HELLO.Details.roles: want a map"},
		{`[1,"a",{"roles":{}}]`, "HELLO.Details.roles: want a map"},
		{`[1,"a",{"roles":{"caller":1}}]`, "HELLO.Details.roles: want a map"},
		{`[2,-1,{"roles":{"broker":{}}}]`, "WELCOME.Session: want an integer"},
		{`[2,9007199254740993,{"roles":{"broker":{}}}]`, "WELCOME.Session: want an integer"},
		{`[2,1.0,{"roles":{"broker":{}}}]`, "WELCOME.Session: want an integer"},
		{`[3,[],"a"]`, "ABORT.Details: want a map"},
		{`[4,1,{}]`, "CHALLENGE.AuthMethod: want text"},
		{`[8,17,1,{},"a"]`, "ERROR.RequestType: want the type"},
		{`[8,48,1,{},""]`, "ERROR.Error: want a URI"},
		{`[16,1,{},"a..b"]`, "PUBLISH.Topic: want a URI"},
		{`[16,1,{},"a.#"]`, "PUBLISH.Topic: want a URI"},
		{`[16,1,{},"` + strings.Repeat("a", 5000) + `"]`, "PUBLISH.Topic: want a URI"},
		{`[16,1,{},"a",1]`, "PUBLISH.Arguments: want a list"},
		{`[16,1,{},"a",[],[]]`, "PUBLISH.ArgumentsKw: want a map"},
		{`[16,1,{},"a","text",{}]`, "PUBLISH.ArgumentsKw: there is nothing beside"},
		{`[16,1,{"ppt_scheme":"mine"},"a"]`, "PUBLISH.Options.ppt_scheme: want one of"},
		{`[16,1,{"enc_serializer":"yaml"},"a"]`, "PUBLISH.Options.enc_serializer: want one of"},
		{`[16,1,{"forward_for":[{"session":"a"}]},"a"]`, "PUBLISH.Options.forward_for: want a list"},
		{`[32,1,{},"a."]`, "SUBSCRIBE.Topic: want a URI"},
		{`[32,1,{"match":"prefix"},"a #"]`, "SUBSCRIBE.Topic: want a URI or a pattern"},
		{`[35]`, "UNSUBSCRIBED: the message has a wrong number"},
		{`[49,1,{"mode":"softly"}]`, "CANCEL.Options.mode: want one of"},
		{`[64,1,{"invoke":"any"},"a"]`, "REGISTER.Options.invoke: want one of"},
		{`[68,1,2,{"timeout":-1}]`, "INVOCATION.Details.timeout: want an integer"},
	} {
		_, err := s.Unserialize([]byte(test.text), false)
		if !errors.Is(err, wamp.ErrProtocol) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.text, err, test.want)
		}
	}
	for _, text := range []string{
		`[16,1,{"x_mine":[1],"unknown":2,"retain":null},"a",null,null]`, `[32,1,{"match":"wildcard"},""]`, `[36,0,0,{},[1],{}]`,
		`[16,1,{"enc_algo":"x_mine","ppt_scheme":"x_mine"},"com.é.t","text"]`,
	} {
		if _, err := s.Unserialize([]byte(text), false); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := s.Unserialize([]byte(`[67,1]`), true); !errors.Is(err, wamp.ErrProtocol) {
		t.Errorf("a binary frame of JSON: %v", err)
	}
}

// TestCachedEncodesOnce: fan-out to many connections costs one encoding for each
// serializer.
func TestCachedEncodesOnce(t *testing.T) {
	t.Parallel()
	m := &counting{Event: wamp.Event{Subscription: 1, Publication: 2, Payload: wamp.Payload{Args: []any{"a"}}}}
	cached, all := wamp.Cache(m), builtin(t)[:3]
	first := map[string]string{}
	for range 10 {
		for _, s := range all {
			b, binary, err := cached.Serialize(s)
			if err != nil || binary != s.Binary() {
				t.Fatal(err)
			}
			if before, ok := first[s.ID()]; ok && before != string(b) {
				t.Errorf("%s: other bytes", s.ID())
			}
			first[s.ID()] = string(b)
		}
	}
	if m.lists != len(all) {
		t.Errorf("it was encoded %d times for %d serializers", m.lists, len(all))
	}
	m.Args[0] = "b"
	cached.Uncache()
	if b, _, err := cached.Serialize(all[0]); err != nil || string(b) == first[all[0].ID()] {
		t.Errorf("after Uncache it is %s, %v", b, err)
	}
}

type counting struct {
	wamp.Event
	lists int
}

func (c *counting) List() []any {
	c.lists++
	return c.Event.List()
}

func TestPayloadInAnotherSerializer(t *testing.T) {
	t.Parallel()
	both := serializer.Builtin()
	s, err := wamp.NewSerializer(both[0], wamp.SerializerOptions{Payload: both[2]})
	if err != nil {
		t.Fatal(err)
	}
	if s.ID() != "json" || s.PayloadID() != "cbor" || s.RawSocketID() != 1 || s.MediaType() != "application/json" || s.Subprotocol() != "wamp.2.json" {
		t.Errorf("it is %s, %s, %d, %s, %s", s.ID(), s.PayloadID(), s.RawSocketID(), s.MediaType(), s.Subprotocol())
	}
	m := &wamp.Publish{Request: 1, Options: wamp.Dict{"retain": true}, Topic: "com.x", Payload: wamp.Payload{Args: []any{"héllo"}, Kwargs: wamp.Dict{"k": []byte{1}}}}
	b, _, err := s.Serialize(nil, m)
	if err != nil || strings.Contains(string(b), "llo") || !strings.Contains(string(b), `"enc_serializer":"cbor"`) {
		t.Fatalf("%s, %v", b, err)
	}
	if got, err := s.Unserialize(b, false); err != nil || !reflect.DeepEqual(got[0], m) {
		t.Errorf("%#v, %v", got, err)
	}
	if _, err := wamp.NewSerializer(both[0], wamp.SerializerOptions{Payload: both[5]}); err == nil {
		t.Error("a batched payload serializer is taken")
	}
	if _, err := wamp.NewSerializer(nil, wamp.SerializerOptions{}); err == nil {
		t.Error("no serializer is taken")
	}
	for _, bad := range []string{
		`[16,1,{"enc_algo":"x_serialized","enc_serializer":"cbor"},"a","\u0000AQ=="]`,
		`[16,1,{"enc_algo":"x_serialized","enc_serializer":"cbor"},"a","\u0000oA=="]`,
		`[16,1,{"enc_algo":"x_serialized","enc_serializer":"cbor"},"a","\u0000"]`,
	} {
		if got, err := s.Unserialize([]byte(bad), false); err == nil {
			t.Errorf("%s: %v", bad, got)
		}
	}
}

func TestMessageOfOnesOwn(t *testing.T) {
	t.Parallel()
	s, err := wamp.NewSerializer(serializer.Builtin()[0], wamp.SerializerOptions{Types: map[wamp.Type]wamp.ParseFunc{
		1001: func(list []any) (wamp.Message, error) { return ping(len(list)), nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Unserialize([]byte(`[1001,1,2]`), false); err != nil || got[0] != ping(3) {
		t.Errorf("%v, %v", got, err)
	}
	if types := s.Types(); len(types) != len(wamp.Types())+1 {
		t.Errorf("there are %d types", len(types))
	}
}

type ping int

func (ping) Type() wamp.Type { return 1001 }
func (p ping) List() []any   { return make([]any, p) }

func TestTransparency(t *testing.T) {
	t.Parallel()
	e := &wamp.EncodedPayload{Payload: []byte{1, 2}, Algo: "cryptobox", Serializer: "cbor", Key: "k1", Cipher: "xsalsa20poly1305"}
	m := &wamp.Call{Request: 1, Options: wamp.Dict{"timeout": int64(1)}, Procedure: "com.x", Payload: wamp.Payload{Args: []any{"secret"}}}
	for _, style := range []wamp.Style{wamp.StyleEnc, wamp.StylePPT} {
		attached, ok := e.Attach(m, style).(*wamp.Call)
		if !ok || attached.Options["timeout"] != int64(1) || attached.Procedure != "com.x" || strings.Contains(fmt.Sprint(attached.List()), "secret") {
			t.Fatalf("%#v", attached)
		}
		got, err := wamp.Encoded(attached)
		want := *e
		if style == wamp.StyleEnc {
			want.Cipher = ""
		}
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	if len(m.Options) != 1 || m.Args[0] != "secret" {
		t.Errorf("the message was changed: %#v", m)
	}
	if got, err := wamp.Encoded(m); got != nil || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, attributes := range []wamp.Dict{{"enc_algo": "cryptobox"}, {"ppt_scheme": "wamp"}} {
		if _, err := wamp.Encoded(&wamp.Call{Options: attributes, Payload: wamp.Payload{Args: []any{"text"}}}); !errors.Is(err, wamp.ErrProtocol) {
			t.Errorf("%v: %v", attributes, err)
		}
	}
}

func FuzzMessage(f *testing.F) {
	all := builtin(f)
	for i, s := range all {
		for _, m := range examples() {
			if encoded, _, err := s.Serialize(nil, m); err == nil && i < 4 {
				f.Add(i, encoded)
			}
		}
	}
	f.Fuzz(func(t *testing.T, i int, b []byte) {
		s := all[uint(i)%uint(len(all))]
		messages, err := s.Unserialize(b, s.Binary())
		if err != nil {
			return
		}
		for _, m := range messages {
			encoded, binary, err := s.Serialize(nil, m)
			if err != nil {
				t.Fatalf("%#v is read and cannot be written: %v", m, err)
			}
			again, err := s.Unserialize(encoded, binary)
			if err != nil || len(again) != 1 || again[0].Type() != m.Type() {
				t.Fatalf("%#v is read again as %v, %v", m, again, err)
			}
			if carrier, ok := m.(wamp.Carrier); ok {
				_, _ = wamp.Encoded(carrier)
			}
		}
	})
}

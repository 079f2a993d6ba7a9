package wamp_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

func key(b byte) transport.Secret {
	return transport.NewSecret(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)))
}

// both have the keys of both sides, as peers that share one key pair do.
func both(t *testing.T, prefix string, b byte) *wamp.KeyRing {
	t.Helper()
	ring := new(wamp.KeyRing)
	if err := ring.Set(prefix, wamp.CryptoboxKeys{OriginatorPrivate: key(b), ResponderPrivate: key(b)}); err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestCryptobox(t *testing.T) {
	t.Parallel()
	ring := both(t, "com.x.", 1)
	p := wamp.Payload{Args: []any{"a", []byte{1}, nil}, Kwargs: map[string]any{"k": 1.5}}
	e, err := ring.Encode(t.Context(), wamp.Originator, "com.x.t", p)
	if err != nil {
		t.Fatal(err)
	}
	uri, got, err := ring.Decode(t.Context(), wamp.Responder, "com.x.t", e)
	if err != nil || uri != "com.x.t" || !reflect.DeepEqual(got, p) {
		t.Errorf("%q, %#v, %v", uri, got, err)
	}
	again, err := ring.Encode(t.Context(), wamp.Originator, "com.x.t", p)
	if err != nil || bytes.Equal(again.Payload, e.Payload) {
		t.Errorf("the same nonce twice, %v", err)
	}
}

func TestCryptoboxRefuses(t *testing.T) {
	t.Parallel()
	ring := both(t, "com.x.", 1)
	e, err := ring.Encode(t.Context(), wamp.Originator, "com.x.t", wamp.Payload{Args: []any{"secret"}})
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(e.Payload)
	flipped[len(flipped)-1] ^= 1
	for _, test := range []struct {
		name, uri, want string
		ring            *wamp.KeyRing
		e               wamp.EncodedPayload
	}{
		{"another URI", "com.x.u", "another URI", ring, *e},
		{"no key", "com.y.t", "no key", ring, *e},
		{"another key", "com.x.t", "cannot be decrypted", both(t, "", 2), *e},
		{"changed", "com.x.t", "cannot be decrypted", ring, wamp.EncodedPayload{Payload: flipped, Algo: "cryptobox", Serializer: "json"}},
		{"cut", "com.x.t", "too short", ring, wamp.EncodedPayload{Payload: e.Payload[:39], Algo: "cryptobox", Serializer: "json"}},
		{"another algorithm", "com.x.t", "not encoded by cryptobox", ring, wamp.EncodedPayload{Payload: e.Payload, Algo: "xbr", Serializer: "json"}},
		{"another serializer", "com.x.t", "not encoded by cryptobox", ring, wamp.EncodedPayload{Payload: e.Payload, Algo: "cryptobox", Serializer: "cbor"}},
	} {
		_, _, err := test.ring.Decode(t.Context(), wamp.Responder, test.uri, &test.e)
		if !errors.Is(err, wamp.ErrPayload) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := ring.Encode(t.Context(), wamp.Originator, "com.x.t", wamp.Payload{Opaque: []byte{1}}); !errors.Is(err, wamp.ErrPayload) {
		t.Errorf("bytes are encrypted: %v", err)
	}
}

// TestCryptoboxFindsTheLongestPrefix, and sends in clear only where there are no
// keys and none are required.
func TestCryptoboxFindsTheLongestPrefix(t *testing.T) {
	t.Parallel()
	ring := both(t, "com.", 1)
	if err := ring.Set("com.x.", wamp.CryptoboxKeys{OriginatorPrivate: key(2), ResponderPrivate: key(2)}); err != nil {
		t.Fatal(err)
	}
	p := wamp.Payload{Args: []any{"a"}}
	e, err := ring.Encode(t.Context(), wamp.Originator, "com.x.t", p)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := both(t, "", 2).Decode(t.Context(), wamp.Responder, "com.x.t", e); err != nil {
		t.Error(err)
	}
	if e, err := ring.Encode(t.Context(), wamp.Originator, "org.t", p); e != nil || err != nil {
		t.Errorf("without keys: %v, %v", e, err)
	}
	ring.Required = true
	if e, err := ring.Encode(t.Context(), wamp.Originator, "org.t", p); e != nil || !errors.Is(err, wamp.ErrPayload) {
		t.Errorf("without keys that are required: %v, %v", e, err)
	}
	ring.Delete("com.")
	if e, err := ring.Encode(t.Context(), wamp.Originator, "com.y", p); e != nil || !errors.Is(err, wamp.ErrPayload) {
		t.Errorf("after Delete: %v, %v", e, err)
	}
	// Keys of the other role are no keys for this one, and no reason to send in clear.
	half := new(wamp.KeyRing)
	if err := half.Set("", wamp.CryptoboxKeys{ResponderPrivate: key(1), OriginatorPublic: "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk="}); err != nil {
		t.Fatal(err)
	}
	if e, err := half.Encode(t.Context(), wamp.Originator, "com.y", p); e != nil || !errors.Is(err, wamp.ErrPayload) {
		t.Errorf("with the other role's keys: %v, %v", e, err)
	}
}

func TestCryptoboxKeysAreChecked(t *testing.T) {
	t.Parallel()
	zero := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, test := range []struct {
		keys wamp.CryptoboxKeys
		want string
	}{
		{wamp.CryptoboxKeys{}, "want a private key"},
		{wamp.CryptoboxKeys{OriginatorPrivate: key(1)}, "want a private key"},
		{wamp.CryptoboxKeys{OriginatorPrivate: transport.NewSecret("canary"), ResponderPublic: zero}, "32 bytes"},
		{wamp.CryptoboxKeys{OriginatorPrivate: key(1), ResponderPublic: "x"}, "32 bytes"},
		{wamp.CryptoboxKeys{OriginatorPrivate: key(1), ResponderPublic: zero}, "small order"},
		{wamp.CryptoboxKeys{OriginatorPrivate: key(1), OriginatorPublic: zero, ResponderPrivate: key(2)}, "not that of the private key"},
	} {
		err := new(wamp.KeyRing).Set("com.", test.keys)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("error is %v, want %q", err, test.want)
		}
	}
}

// TestSecretsStayOutOfText: neither keys nor what is sent shows when it is printed.
func TestSecretsStayOutOfText(t *testing.T) {
	t.Parallel()
	ring := both(t, "", 1)
	payload := wamp.Payload{Args: []any{"canary"}}
	for _, v := range []any{
		wamp.CryptoboxKeys{OriginatorPrivate: transport.NewSecret("canary")}, payload,
		&wamp.Authenticate{Signature: "canary"}, &wamp.Publish{Payload: payload}, ring,
	} {
		for _, verb := range []string{"%v", "%+v", "%s"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "canary") {
				t.Errorf("%T prints %s", v, text)
			}
		}
	}
}

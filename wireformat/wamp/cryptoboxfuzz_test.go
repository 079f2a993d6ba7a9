package wamp_test

import (
	"crypto/ecdh"
	"errors"
	"testing"

	"golang.org/x/crypto/nacl/box"

	"github.com/outrider-go/outrider/wireformat/wamp"
)

// FuzzCryptobox: a peer that has the key may put anything into the box.
func FuzzCryptobox(f *testing.F) {
	for _, seed := range []string{
		`{"uri":"com.x.t","args":[1,"\u0000AQI="],"kwargs":{"k":null}}`, `{"uri":"com.x.t","args":null,"kwargs":null}`,
		`{"uri":"com.y","args":[],"kwargs":{}}`, `{"uri":1}`, `{"uri":"com.x.t","uri":"com.y"}`, `[]`, ``, "\xff",
		`{"uri":"com.x.t","args":{}}`, `{"uri":"com.x.t","kwargs":[[[[]]]]}`, `{"uri":"com.x.t"}{}`,
	} {
		f.Add([]byte(seed))
	}
	raw := make([]byte, 32)
	raw[0] = 1
	private, err := ecdh.X25519().NewPrivateKey(raw)
	if err != nil {
		f.Fatal(err)
	}
	ring := new(wamp.KeyRing)
	if err := ring.SetOriginator("", private, private.PublicKey()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, inside []byte) {
		var nonce [24]byte
		sealed := box.Seal(nonce[:], inside, &nonce, (*[32]byte)(private.PublicKey().Bytes()), (*[32]byte)(raw))
		encoded := &wamp.EncodedPayload{Payload: sealed, Algo: wamp.AlgoCryptobox, Serializer: "json"}
		uri, p, err := ring.Decode(t.Context(), wamp.Originator, "com.x.t", encoded)
		if err != nil {
			if !errors.Is(err, wamp.ErrPayload) || !p.IsZero() || uri != "" {
				t.Errorf("%q, %v, %v", uri, p, err)
			}
			return
		}
		if uri != "com.x.t" {
			t.Errorf("the payload is for %q", uri)
		}
		if _, err := ring.Encode(t.Context(), wamp.Originator, uri, p); err != nil {
			t.Errorf("what was read is not written: %v", err)
		}
	})
}

package wamp2_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/outrider-go/outrider/transport/wamp2"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// FuzzCryptosign: whatever a router asks for, either there is no answer, or one
// that signs 32 bytes and verifies.
func FuzzCryptosign(f *testing.F) {
	f.Add("00", "", []byte(nil))
	f.Add(hex.EncodeToString(make([]byte, 32)), "", []byte(nil))
	f.Add(hex.EncodeToString(make([]byte, 32)), wamp2.Binding, make([]byte, 32))
	key := signer{ed25519.NewKeyFromSeed(make([]byte, 32))}
	f.Fuzz(func(t *testing.T, challenge, binding string, channel []byte) {
		for _, bind := range []bool{false, true} {
			c := &wamp.Challenge{Method: "cryptosign", Extra: wamp.Dict{"challenge": challenge}}
			if binding != "" {
				c.Extra["channel_binding"] = binding
			}
			answer, err := wamp2.Cryptosign{Key: key, Bind: bind}.Answer(t.Context(), c, channel)
			if err != nil {
				if !errors.Is(err, wamp2.ErrAuth) {
					t.Fatal(err)
				}
				continue
			}
			b, err := hex.DecodeString(answer)
			if err != nil || len(b) != 96 || !ed25519.Verify(key.PublicKey(), b[64:], b[:64]) || bind && binding != wamp2.Binding {
				t.Errorf("%q bound by %q is answered with %s", challenge, binding, answer)
			}
		}
	})
}

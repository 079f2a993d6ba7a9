package wamp2_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"testing"

	"github.com/outrider-go/outrider/internal/vectors"
	"github.com/outrider-go/outrider/transport/wamp2"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// TestCryptosignVectors: the signatures of the WAMP specification. Those with a
// channel are bound by tls-unique there, which TLS 1.3 does not have; what is
// signed is the same.
func TestCryptosignVectors(t *testing.T) {
	t.Parallel()
	var file struct {
		Vectors []struct {
			ChannelID  string `json:"channel_id"`
			PrivateKey string `json:"private_key"`
			Challenge  string
			Signature  string
		}
	}
	vectors.Load(t, "wamp/cryptosign.json", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("there are none")
	}
	for _, v := range file.Vectors {
		seed, err1 := hex.DecodeString(v.PrivateKey)
		channel, err2 := hex.DecodeString(v.ChannelID)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		c := &wamp.Challenge{Method: "cryptosign", Extra: wamp.Dict{"challenge": v.Challenge}}
		bind := len(channel) > 0
		if bind {
			c.Extra["channel_binding"] = wamp2.Binding
		}
		got, err := wamp2.Cryptosign{Key: signer{ed25519.NewKeyFromSeed(seed)}, Bind: bind}.Answer(t.Context(), c, channel)
		if err != nil || got != v.Signature {
			t.Errorf("%s: %s, %v", v.Challenge, got, err)
		}
	}
}

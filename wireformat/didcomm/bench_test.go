package didcomm

import (
	"crypto/rand"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/nacl/box"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/wireformat"
)

// BenchmarkV1 compares a message of 1 KiB, from and to one key, with the bare
// primitives that it is made of: two boxes and a cipher each way.
func BenchmarkV1(b *testing.B) {
	alice, bob := newKey(b, profile.Ed25519), newKey(b, profile.Ed25519)
	p := tenant(b, []secmod.Key{alice, bob})
	message := []byte(`{"@type":"t","content":"` + strings.Repeat("a", 1000) + `"}`)
	to := wireformat.Target{Recipients: []string{verkeyOf(b, bob)}, Sender: verkeyOf(b, alice)}
	f := NewV1()
	frame := encode(b, f, p, string(message), to)
	b.Run("pack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.Encode(b.Context(), p, wireformat.Message{Payload: message}, to); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unpack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := f.Parse(b.Context(), p, frame); err != nil {
				b.Fatal(err)
			}
		}
	})
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	cek, nonce, text := make([]byte, 32), new([24]byte), make([]byte, 44)
	aead, err := chacha20poly1305.New(cek)
	if err != nil {
		b.Fatal(err)
	}
	sealedKey, sealed := box.Seal(nil, cek, nonce, public, private), aead.Seal(nil, nonce[:12], message, nil)
	sealedText, err := box.SealAnonymous(nil, text, public, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("pack primitives", func(b *testing.B) {
		for b.Loop() {
			box.Seal(nil, cek, nonce, public, private)
			if _, err := box.SealAnonymous(nil, text, public, rand.Reader); err != nil {
				b.Fatal(err)
			}
			aead.Seal(nil, nonce[:12], message, nil)
		}
	})
	b.Run("unpack primitives", func(b *testing.B) {
		for b.Loop() {
			_, ok1 := box.Open(nil, sealedKey, nonce, public, private)
			_, ok2 := box.OpenAnonymous(nil, sealedText, public, private)
			if _, err := aead.Open(nil, nonce[:12], sealed, nil); err != nil || !ok1 || !ok2 {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkV2 is the same message, authenticated, to one key on X25519; its bare
// primitives are two agreements each way, and one key pair.
func BenchmarkV2(b *testing.B) {
	alice, bob := newParty(b, profile.X25519), newParty(b, profile.X25519)
	p := tenant(b, append(alice.keys, bob.keys...))
	message := plainFrom(alice.did, `,"content":"`+strings.Repeat("a", 1000)+`"`)
	to := wireformat.Target{Recipients: []string{bob.did}, Sender: alice.did}
	f := NewV2(Options{})
	frame := encode(b, f, p, message, to)
	b.Run("pack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.Encode(b.Context(), p, wireformat.Message{Payload: []byte(message)}, to); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unpack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := f.Parse(b.Context(), p, frame); err != nil {
				b.Fatal(err)
			}
		}
	})
	own, err := alice.keys[0].Exchanger()
	if err != nil {
		b.Fatal(err)
	}
	peer, err := bob.keys[0].Exchanger()
	if err != nil {
		b.Fatal(err)
	}
	curve := own.Curve()
	b.Run("pack primitives", func(b *testing.B) {
		for b.Loop() {
			ephemeral, err := curve.GenerateKey(nil)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := agree(ephemeral, peer.PublicKey(), peer.PublicKey()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

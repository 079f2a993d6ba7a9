package naclbox

import (
	"crypto/ecdh"
	"crypto/rand"
	"testing"

	"golang.org/x/crypto/nacl/box"

	"github.com/outrider-go/outrider/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func generated(t *testing.T, curve ecdh.Curve) *ecdh.PrivateKey {
	t.Helper()
	key, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeyIsThatOfNaCl(t *testing.T) {
	t.Parallel()
	own, peer := generated(t, ecdh.X25519()), generated(t, ecdh.X25519())
	var want [32]byte
	box.Precompute(&want, (*[32]byte)(peer.PublicKey().Bytes()), (*[32]byte)(own.Bytes()))
	got, err := Key(own, peer.PublicKey())
	back, err2 := Key(peer, own.PublicKey())
	if err != nil || err2 != nil || *got != want || *back != want {
		t.Errorf("%x and %x, %v, %v; want %x", got, back, err, err2, want)
	}
}

func TestKeyRefuses(t *testing.T) {
	t.Parallel()
	zero, err := ecdh.X25519().NewPublicKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Key(generated(t, ecdh.X25519()), zero); err == nil {
		t.Error("a point of small order was taken")
	}
	other := generated(t, ecdh.P256())
	if _, err := Key(other, other.PublicKey()); err == nil {
		t.Error("a key of another curve was taken")
	}
}

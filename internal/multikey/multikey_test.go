package multikey

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/outrider-go/outrider/internal/leak"
	"github.com/outrider-go/outrider/profile"
)

func TestMain(m *testing.M) { leak.Main(m) }

func newPublic(t *testing.T, of profile.KeyType) []byte {
	t.Helper()
	curves := map[profile.KeyType]ecdh.Curve{profile.X25519: ecdh.X25519(), profile.P256: ecdh.P256(), profile.P384: ecdh.P384(), profile.P521: ecdh.P521()}
	switch of {
	case profile.Ed25519:
		public, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		return public
	case profile.Ethereum:
		key, err := secp256k1.GeneratePrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		return key.PubKey().SerializeUncompressed()
	default:
		key, err := curves[of].GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		return key.PublicKey().Bytes()
	}
}

// TestRoundTrip: the text of each type has its well-known beginning.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for of, prefix := range map[profile.KeyType]string{
		profile.Ed25519: "z6Mk", profile.X25519: "z6LS", profile.Ethereum: "zQ3s",
		profile.P256: "zDn", profile.P384: "z82", profile.P521: "z2J9",
	} {
		public := newPublic(t, of)
		text, err := Encode(of, public)
		if err != nil || !strings.HasPrefix(text, prefix) {
			t.Errorf("%s: %q, %v; want %s...", of, text, err, prefix)
		}
		gotType, got, err := Decode(text)
		if err != nil || gotType != of || !bytes.Equal(got, public) {
			t.Errorf("%s: read %s %x, %v", of, gotType, got, err)
		}
		if _, err := Encode(of, public[:len(public)-1]); !errors.Is(err, ErrKey) {
			t.Errorf("%s cut short: %v, want ErrKey", of, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "z", "z1", "m6Mk", "z0OIl", "z6Mk", "z" + strings.Repeat("2", 200), "z" + EncodeBase58([]byte{0x80, 0x24, 2, 1}), "z" + EncodeBase58(append([]byte{0x80, 0x24, 2}, bytes.Repeat([]byte{0xff}, 32)...))} {
		if of, _, err := Decode(text); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %s, %v, want ErrKey", text, of, err)
		}
	}
}

// TestMontgomery: the two halves of a key pair stay a pair.
func TestMontgomery(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha512.Sum512(private.Seed())
	key, err := ecdh.X25519().NewPrivateKey(digest[:32])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Montgomery(public); err != nil || !bytes.Equal(got, key.PublicKey().Bytes()) {
		t.Errorf("the public key is %x, %v; want %x", got, err, key.PublicKey().Bytes())
	}
}

func TestMontgomeryRefusesSmallOrder(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000", // order 1
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
		"0000000000000000000000000000000000000000000000000000000000000000", // order 4
		"0000000000000000000000000000000000000000000000000000000000000080", // order 4
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
		"0100000000000000000000000000000000000000000000000000000000000080", // not canonical
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // not canonical
	} {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Montgomery(raw); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %x, %v, want ErrKey", text, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH")
	f.Add("z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc")
	f.Add("zDn")
	f.Fuzz(func(t *testing.T, text string) {
		of, public, err := Decode(text)
		if err != nil {
			return
		}
		if again, err := Encode(of, public); err != nil || again != text {
			t.Errorf("%q is written as %q, %v", text, again, err)
		}
		_, _ = Montgomery(public)
	})
}

package wireformat_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/wireformattest"
)

// Vault is a wire format that encrypts with a secret that sender and receiver
// share: AES-GCM, the nonce in front. docs/writing-a-wire-format.md explains it.
type Vault struct{}

const (
	vaultName   = "vault"
	vaultType   = "application/vnd.example.vault"
	vaultSecret = "vault.key" // of the profile: the base64 of 32 bytes
)

func (*Vault) Name() string         { return vaultName }
func (*Vault) MediaTypes() []string { return []string{vaultType} }

// fail makes the error of a format: its kind, its name, and a cause that repeats
// neither payload nor key.
func (*Vault) fail(kind, cause error) error {
	return &wireformat.Error{Kind: kind, Format: vaultName, Err: cause}
}

// cipher returns the cipher of the profile's secret. Without one there is no
// message: it never goes out in the clear.
func (*Vault) cipher(p *profile.Profile) (cipher.AEAD, error) {
	secret, ok := p.Secret(vaultSecret)
	if !ok {
		return nil, fmt.Errorf("the profile has no secret %q", vaultSecret)
	}
	key, err := base64.StdEncoding.DecodeString(secret.Reveal())
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("the profile's secret %q is not the base64 of 32 bytes", vaultSecret)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (v *Vault) Encode(_ context.Context, p *profile.Profile, m wireformat.Message, _ wireformat.Target) (wireformat.Frame, error) {
	aead, err := v.cipher(p)
	if err != nil {
		return wireformat.Frame{}, v.fail(wireformat.ErrEncode, err)
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return wireformat.Frame{ContentType: vaultType, Body: aead.Seal(nonce, nonce, m.Payload, nil)}, nil
}

func (v *Vault) Parse(_ context.Context, p *profile.Profile, f wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	aead, err := v.cipher(p)
	if err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, v.fail(wireformat.ErrParse, err)
	}
	if len(f.Body) < aead.NonceSize() {
		return wireformat.Message{}, wireformat.Receipt{}, v.fail(wireformat.ErrParse, errors.New("it is cut short"))
	}
	nonce, sealed := f.Body[:aead.NonceSize()], f.Body[aead.NonceSize():]
	payload, err := aead.Open(nil, nonce, sealed, nil)
	if err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, v.fail(wireformat.ErrParse, errors.New("it was not encrypted with this secret, or was changed"))
	}
	m := wireformat.Message{Payload: payload, Metadata: transport.Metadata(f.Header).Clone()}
	return m, wireformat.Receipt{Format: vaultName}, nil
}

// newVaultProfile is a tenant with a secret to encrypt with.
func newVaultProfile() (*profile.Profile, error) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	return profile.New("acme", profile.Options{
		WireFormat: vaultName,
		Secrets:    map[string]transport.Secret{vaultSecret: transport.NewSecret(key)},
	})
}

func TestVault(t *testing.T) {
	t.Parallel()
	p, err := newVaultProfile()
	if err != nil {
		t.Fatal(err)
	}
	wireformattest.Run(t, func(*testing.T) wireformat.Format { return &Vault{} }, wireformattest.Features{
		Samples: wireformattest.AnySamples(), // it carries whatever there is
		Profile: p,
		Varies:  true, // a new nonce each time
	})
}

// A wire format that encrypts, from the first line to the last.
func Example_vault() {
	acme, err := newVaultProfile()
	if err != nil {
		log.Fatal(err)
	}
	formats, err := wireformat.NewRegistry(append(wireformat.Builtin(), &Vault{})...)
	if err != nil {
		log.Fatal(err)
	}
	f, err := formats.ByName(acme.WireFormat())
	if err != nil {
		log.Fatal(err)
	}
	frame, err := f.Encode(context.Background(), acme, wireformat.Message{Payload: []byte("attack at dawn")}, wireformat.Target{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(frame.ContentType, len(frame.Body), "bytes")

	message, _, err := f.Parse(context.Background(), acme, frame)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(message.Payload))

	_, err = f.Encode(context.Background(), profile.Default(), message, wireformat.Target{})
	fmt.Println(err)
	// Output:
	// application/vnd.example.vault 42 bytes
	// attack at dawn
	// wire format vault: message_encode_error: the profile has no secret "vault.key"
}

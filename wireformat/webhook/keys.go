package webhook

import (
	"context"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/profile"
)

// signingKeys are what a profile signs with.
type signingKeys struct {
	secrets []*secret
	modules []profile.Key // whose private half is elsewhere
}

// keys returns what the profile signs with, at least one.
func (f *Format) keys(ctx context.Context, p *profile.Profile) (*signingKeys, error) {
	secrets, err := f.secrets(p)
	if err != nil {
		return nil, err
	}
	k := &signingKeys{secrets: secrets}
	for id := range strings.FieldsSeq(p.Settings().String(f.options.KeySetting, "")) {
		key, err := p.Keys().Find(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("the profile's setting %q: %w", f.options.KeySetting, err)
		}
		if key.Type() != profile.Ed25519 {
			return nil, fmt.Errorf("the profile's setting %q: %w: key %q is of type %s, want %s", f.options.KeySetting, profile.ErrKeyUse, id, key.Type(), profile.Ed25519)
		}
		k.modules = append(k.modules, key)
	}
	switch n := len(k.secrets) + len(k.modules); {
	case n == 0:
		return nil, fmt.Errorf("the profile has nothing to sign with: give it the secret %q, or name its keys in the setting %q", f.options.SecretName, f.options.KeySetting)
	case n > maxSecrets:
		return nil, fmt.Errorf("the profile has %d secrets and keys to sign with: at most %d are allowed", n, maxSecrets)
	}
	return k, nil
}

// secrets reads the profile's secret, if it has one.
func (f *Format) secrets(p *profile.Profile) ([]*secret, error) {
	list, ok := p.Secret(f.options.SecretName)
	if !ok {
		return nil, nil
	}
	signer, err := NewSigner(list)
	if err != nil {
		return nil, fmt.Errorf("the profile's secret %q: %w", f.options.SecretName, err)
	}
	return signer.secrets, nil
}

// CheckSecret says what is wrong with the signing secrets of a profile, before any
// message is to be signed. A profile without any may sign with its keys, or not at
// all.
func (f *Format) CheckSecret(p *profile.Profile) error {
	_, err := f.secrets(p)
	return err
}

// SettingNames lists the settings of a profile that the format reads.
func (f *Format) SettingNames() []string { return []string{f.options.KeySetting} }

func (k *signingKeys) sign(ctx context.Context, content []byte) (string, error) {
	var signatures []string
	if len(k.secrets) > 0 {
		signatures = append(signatures, (&Signer{k.secrets}).signContent(content))
	}
	for _, key := range k.modules {
		raw, err := key.Sign(ctx, content)
		if err != nil {
			return "", err
		}
		signatures = append(signatures, signature(asymmetric, raw))
	}
	return strings.Join(signatures, " "), nil
}

// all returns what verifies the signatures.
func (k *signingKeys) all() []*secret {
	all := append([]*secret(nil), k.secrets...)
	for _, key := range k.modules {
		all = append(all, publicSecret(key.PublicKey()))
	}
	return all
}

package wampout

import (
	"context"
	"crypto/ecdh"
	"encoding/base64"
	"fmt"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/wamp2"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// Settings of the profile for payloads that are encrypted end to end.
const (
	SettingCryptoboxKey  = "wamp.cryptobox.key"
	SettingCryptoboxPeer = "wamp.cryptobox.peer"
	SettingStyle         = "wamp.style"
)

// encryption is how a profile encrypts payloads; the zero value is as Options say.
type encryption struct {
	keyID string
	peer  *ecdh.PublicKey
	style wamp.Style
	given bool // style is
}

func encryptionOf(settings profile.Settings) (encryption, error) {
	e := encryption{keyID: settings.String(SettingCryptoboxKey, ""), given: true}
	switch settings.String(SettingStyle, "") {
	case "":
		e.given = false
	case "enc":
		e.style = wamp.StyleEnc
	case "ppt":
		e.style = wamp.StylePPT
	default:
		return e, fmt.Errorf("setting %q: want enc or ppt", SettingStyle)
	}
	peer := settings.String(SettingCryptoboxPeer, "")
	if (e.keyID == "") != (peer == "") {
		return e, fmt.Errorf("settings %q and %q: set both, or none", SettingCryptoboxKey, SettingCryptoboxPeer)
	}
	if peer == "" {
		return e, nil
	}
	raw, err := base64.StdEncoding.DecodeString(peer)
	if err == nil {
		e.peer, err = ecdh.X25519().NewPublicKey(raw)
	}
	if err != nil {
		return e, fmt.Errorf("setting %q: want the peer's public key, 32 bytes in base64", SettingCryptoboxPeer)
	}
	return e, nil
}

// apply puts it into the options of a session.
func (e encryption) apply(ctx context.Context, p *profile.Profile, options *wamp2.Options) error {
	if e.given {
		options.Style = e.style
	}
	if e.peer == nil {
		return nil
	}
	ring := &wamp.KeyRing{Required: true}
	key, err := p.Keys().Find(ctx, e.keyID)
	var own ecdh.KeyExchanger
	if err == nil {
		own, err = key.Exchanger()
	}
	if err == nil {
		err = ring.SetOriginator("", own, e.peer)
	}
	if err != nil {
		return fmt.Errorf("key of the setting %q: %w", SettingCryptoboxKey, err)
	}
	options.Codec = ring
	return nil
}

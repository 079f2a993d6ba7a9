package didcomm

import (
	"cmp"
	"context"
	"crypto/ecdh"
	"errors"
	"fmt"
	"slices"

	"github.com/outrider-go/outrider/internal/strictjson"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

// plaintext is what a message of v2 says of itself.
type plaintext struct {
	thid, pthid, returnRoute string
	from                     string
	to                       []string
}

// parsePlain reads a message in the clear; id and type are required.
func parsePlain(text []byte) (*plaintext, error) {
	members, err := parseOuter(text)
	if err != nil {
		return nil, err
	}
	return readPlain(members)
}

func readPlain(members strictjson.Object) (*plaintext, error) {
	var id, kind, typ string
	m := &plaintext{}
	for name, into := range map[string]*string{
		"id": &id, "type": &kind, "typ": &typ, "from": &m.from,
		"thid": &m.thid, "pthid": &m.pthid, "return_route": &m.returnRoute,
	} {
		text, err := members.Text(name)
		if err != nil {
			return nil, fmt.Errorf("the message: %w", err)
		}
		*into = text
	}
	if err := members.Into("to", &m.to); err != nil {
		return nil, fmt.Errorf("the message: %w", err)
	}
	switch {
	case id == "" || kind == "":
		return nil, errors.New("the message has no id or no type: a message of DIDComm v2 has both")
	case typ != "" && !isMediaType(typ, TypePlain):
		return nil, fmt.Errorf("the message's typ is not %s", TypePlain)
	}
	m.thid = cmp.Or(m.thid, id)
	return m, nil
}

// unpacked is a message of v2 and what its layers said.
type unpacked struct {
	plaintext

	message              []byte
	encrypted            bool
	skid, signer, opener string // DID URLs of keys
}

func (u *unpacked) receipt(name string) wireformat.Receipt {
	r := wireformat.Receipt{
		Format: name, Sender: cmp.Or(u.skid, u.signer), Recipient: u.opener, Signed: u.signer != "", Authenticated: u.skid != "" || u.signer != "",
		ThreadID: u.thid, ParentThreadID: u.pthid,
	}
	switch u.returnRoute {
	case wireformat.ReturnRouteNone, wireformat.ReturnRouteAll, wireformat.ReturnRouteThread:
		r.ReturnRoute = u.returnRoute
	}
	return r
}

// Layers, in the order in which they may lie around each other. Each may be there
// once.
const (
	layerPlain = iota
	layerSigned
	layerAuth
	layerAnon
	layerNone
)

// unpack takes off layer after layer: anonymous, authenticated, signed.
func (f *V2) unpack(ctx context.Context, p *profile.Profile, body []byte) (*unpacked, error) {
	u := &unpacked{message: body}
	var outer strictjson.Object
	for last := layerNone; last != layerPlain; {
		var err error
		if outer, err = parseOuter(u.message); err != nil {
			return nil, err
		}
		var layer int
		switch {
		case outer.Has("ciphertext"):
			layer, err = f.decrypt(ctx, p, outer, u)
		case outer.Has("payload"):
			layer, err = layerSigned, f.verify(ctx, outer, u)
		case last == layerNone:
			return nil, errors.New("it is neither encrypted nor signed")
		default:
			layer = layerPlain
		}
		if err != nil {
			return nil, err
		}
		if layer >= last {
			return nil, errors.New("its layers are in an order that DIDComm does not allow")
		}
		last = layer
	}
	if f.signedOnly == u.encrypted {
		return nil, fmt.Errorf("the format %s is for messages that are only signed, and others for those that are encrypted", NameSigned)
	}
	plain, err := readPlain(outer)
	if err != nil {
		return nil, err
	}
	u.plaintext = *plain
	if err := u.checkNames(); err != nil {
		return nil, err
	}
	return u, nil
}

// checkNames compares who the message says that it is from and to with whose keys
// were used (Message Layer Addressing Consistency).
func (u *unpacked) checkNames() error {
	for _, url := range []string{u.skid, u.signer} {
		if did, _ := splitURL(url); url != "" && did != u.from {
			return errors.New("the message's from is not the DID whose key was used")
		}
	}
	if did, _ := splitURL(u.opener); u.opener != "" && len(u.to) > 0 && !slices.Contains(u.to, did) {
		return errors.New("the message's to has not the DID that it was encrypted for")
	}
	return nil
}

func (f *V2) verify(ctx context.Context, outer strictjson.Object, u *unpacked) error {
	s, err := parseJWS(outer)
	if err != nil {
		return err
	}
	if _, u.signer, err = s.verify(ctx, f.resolver); err != nil {
		return err
	}
	u.message = s.message
	return nil
}

// decrypt opens one encrypted layer, with the first of the recipients' keys that is
// the profile's.
func (f *V2) decrypt(ctx context.Context, p *profile.Profile, outer strictjson.Object, u *unpacked) (layer int, err error) {
	s, err := parseJWE(outer)
	if err != nil {
		return 0, err
	}
	layer = layerAnon
	var sender *ecdh.PublicKey
	if s.authenticated() {
		layer = layerAuth
		if sender, err = f.senderKey(ctx, s.skid); err != nil {
			return 0, err
		}
		u.skid = s.skid
	}
	var last error
	for i, kid := range s.kids {
		exchanger, err := f.recipientKey(ctx, p, kid)
		if errors.Is(err, profile.ErrNoKey) {
			continue
		}
		if err == nil {
			var message []byte
			if message, err = s.open(i, exchanger, sender); err == nil {
				u.message, u.opener, u.encrypted = message, kid, true
				return layer, nil
			}
		}
		last = err
	}
	if last != nil {
		return 0, last
	}
	return 0, fmt.Errorf("%w: the profile has none of the keys of the %d recipients", profile.ErrNoKey, len(s.kids))
}

// senderKey returns the public key of a sender, by its document.
func (f *V2) senderKey(ctx context.Context, skid string) (*ecdh.PublicKey, error) {
	did, _ := splitURL(skid)
	document, err := f.resolver.Resolve(ctx, did)
	if err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	m := method(document.KeyAgreement, skid)
	if m == nil {
		return nil, errors.New("sender: skid is not among the keys for agreement of its document")
	}
	return m.agreementKey()
}

// recipientKey returns the profile's key of a key id: by the id, or by the public
// half in its document.
func (f *V2) recipientKey(ctx context.Context, p *profile.Profile, kid string) (ecdh.KeyExchanger, error) {
	key, err := p.Keys().Find(ctx, kid)
	if err == nil {
		return key.Exchanger()
	}
	if !errors.Is(err, profile.ErrNoKey) {
		return nil, err
	}
	did, _ := splitURL(kid)
	document, resolveErr := f.resolver.Resolve(ctx, did)
	if resolveErr != nil {
		return nil, err // somebody else's
	}
	m := method(document.KeyAgreement, kid)
	if m == nil {
		return nil, err
	}
	static, err := ownStatic(ctx, p, m)
	if err != nil {
		return nil, err
	}
	return static.exchanger, nil
}

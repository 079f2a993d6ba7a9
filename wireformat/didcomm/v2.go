package didcomm

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-go/outrider/internal/strictjson"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// V2 is the wire format of DIDComm v2. Make it with [NewV2] or [NewSigned].
type V2 struct {
	name       string
	resolver   Resolver
	signedOnly bool
}

// NewV2 returns the format "didcomm/v2": always encrypted.
func NewV2(options Options) *V2 { return newV2(NameV2, options, false) }

// NewSigned returns the format "didcomm/v2/signed": signed, and readable by
// everybody.
func NewSigned(options Options) *V2 { return newV2(NameSigned, options, true) }

func newV2(name string, options Options, signedOnly bool) *V2 {
	if options.Resolver == nil {
		options.Resolver = DefaultResolver()
	}
	return &V2{name, options.Resolver, signedOnly}
}

// Name returns the format's name.
func (f *V2) Name() string { return f.name }

// MediaTypes returns application/didcomm-encrypted+json, or
// application/didcomm-signed+json.
func (f *V2) MediaTypes() []string {
	if f.signedOnly {
		return []string{TypeSigned}
	}
	return []string{TypeEncrypted}
}

// Shares implements [wireformat.Sharer].
func (*V2) Shares(wireformat.Message) bool { return true }

// Encode encrypts a message for the keys of one DID. With a sender, the message
// must be from it. Routers, the first of which is outermost, each get a forward.
func (f *V2) Encode(ctx context.Context, p *profile.Profile, m wireformat.Message, to wireformat.Target) (wireformat.Frame, error) {
	body, err := f.encode(ctx, p, m.Payload, targetOf(p, to))
	if err != nil {
		return wireformat.Frame{}, formatError(wireformat.ErrEncode, f.name, err)
	}
	return wireformat.Frame{ContentType: f.MediaTypes()[0], Text: f.signedOnly, Body: body}, nil
}

func (f *V2) encode(ctx context.Context, p *profile.Profile, message []byte, to wireformat.Target) ([]byte, error) {
	plain, err := parsePlain(message)
	if err != nil {
		return nil, err
	}
	from, _ := splitURL(to.Sender)
	if to.Sender != "" && plain.from != from {
		return nil, errors.New("the message's from is not the sender's DID")
	}
	if f.signedOnly {
		if to.Sender == "" {
			return nil, errors.New("there is no sender: give the DID that signs")
		}
		return f.sign(ctx, p, message, to.Sender)
	}
	switch {
	case len(to.Recipients) == 0:
		return nil, errors.New("there are no recipients: give the DID that may read the message")
	case len(to.Routing) > maxRouting:
		return nil, fmt.Errorf("there are %d routers, and at most %d are allowed", len(to.Routing), maxRouting)
	}
	did, keys, err := agreementKeys(ctx, f.resolver, to.Recipients)
	if err != nil {
		return nil, err
	}
	if len(plain.to) > 0 && !slices.Contains(plain.to, did) {
		return nil, errors.New("the recipient's DID is not in the message's to")
	}
	packed, err := f.encrypt(ctx, p, message, keys, to.Sender)
	if err != nil {
		return nil, err
	}
	return f.forward(ctx, p, packed, did, to.Routing)
}

func (f *V2) sign(ctx context.Context, p *profile.Profile, message []byte, sender string) ([]byte, error) {
	kid, key, err := signingKey(ctx, p, f.resolver, sender)
	if err != nil {
		return nil, err
	}
	return signJWS(ctx, message, kid, key)
}

// encrypt signs, if the profile says so, and encrypts, once or, to hide who sends,
// twice.
func (f *V2) encrypt(ctx context.Context, p *profile.Profile, message []byte, keys []Method, sender string) ([]byte, error) {
	signs, err := flag(p, SettingSign, false)
	if err != nil {
		return nil, err
	}
	protects, err := flag(p, SettingProtectSender, false)
	if err != nil {
		return nil, err
	}
	if signs && sender != "" {
		if message, err = f.sign(ctx, p, message, sender); err != nil {
			return nil, err
		}
	}
	chosen, static, err := chooseKeys(ctx, p, f.resolver, keys, sender)
	if err != nil {
		return nil, err
	}
	packed, err := packJWE(message, chosen, static)
	if err == nil && protects && static != nil {
		packed, err = packJWE(packed, chosen, nil)
	}
	return packed, err
}

// Type of a forward of v2.
const forwardV2 = "https://didcomm.org/routing/2.0/forward"

// forward wraps an envelope for each router, the first outermost.
func (f *V2) forward(ctx context.Context, p *profile.Profile, packed []byte, next string, routing []string) ([]byte, error) {
	for i, router := range slices.Backward(routing) {
		did, keys, err := agreementKeys(ctx, f.resolver, []string{router})
		if err != nil {
			return nil, fmt.Errorf("router %d: %w", i+1, err)
		}
		message, err := json.Marshal(map[string]any{
			"id": transport.NewID(time.Now()).String(), "typ": TypePlain, "type": forwardV2, "to": []string{did},
			"body":        map[string]string{"next": next},
			"attachments": []any{map[string]any{"media_type": TypeEncrypted, "data": map[string]any{"json": json.RawMessage(packed)}}},
		})
		if err != nil {
			return nil, err
		}
		chosen, _, err := chooseKeys(ctx, p, f.resolver, keys, "")
		if err != nil {
			return nil, fmt.Errorf("router %d: %w", i+1, err)
		}
		if packed, err = packJWE(message, chosen, nil); err != nil {
			return nil, err
		}
		next = router
	}
	return packed, nil
}

// Parse decrypts and verifies all layers. The receipt has the keys of sender and
// recipient as DID URLs: no sender where nobody vouches for one.
func (f *V2) Parse(ctx context.Context, p *profile.Profile, frame wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	result, err := f.unpack(ctx, p, frame.Body)
	if err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, formatError(wireformat.ErrParse, f.name, err)
	}
	m := wireformat.Message{ContentType: typeJSON, Text: true, Payload: result.message, Metadata: transport.Metadata(frame.Header).Clone()}
	return m, result.receipt(f.name), nil
}

// RecipientKeys returns the key ids that a frame is for: none of one that is signed
// alone.
func (f *V2) RecipientKeys(frame wireformat.Frame) ([]string, error) {
	keys, err := recipientKeysV2(frame.Body)
	if err != nil {
		return nil, formatError(wireformat.ErrRecipientKeys, f.name, err)
	}
	return keys, nil
}

func recipientKeysV2(body []byte) ([]string, error) {
	outer, err := parseOuter(body)
	if err != nil {
		return nil, err
	}
	if !outer.Has("ciphertext") {
		_, err := parseJWS(outer)
		return []string{}, err
	}
	s, err := parseJWE(outer)
	if err != nil {
		return nil, err
	}
	return s.kids, nil
}

func parseOuter(body []byte) (strictjson.Object, error) {
	if len(body) > maxBytes {
		return nil, fmt.Errorf("it has more than %d bytes", maxBytes)
	}
	return strictjson.ParseObject(body, maxDepth)
}

// protectedHeader reads the header of a JWE or a JWS that has no other type, nor a
// member that is refused.
func protectedHeader(encoded, typ string, refused ...string) (strictjson.Object, error) {
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || encoded == "" {
		return nil, errors.New("it is missing, or not base64url")
	}
	header, err := strictjson.ParseObject(text, maxDepth)
	if err != nil {
		return nil, err
	}
	for _, name := range refused {
		if _, ok := header[name]; ok {
			return nil, fmt.Errorf("%s is not allowed", name)
		}
	}
	if got, err := header.Text("typ"); err != nil || got != "" && !isMediaType(got, typ) {
		return nil, fmt.Errorf("typ is not %s", typ)
	}
	return header, nil
}

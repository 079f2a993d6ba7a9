package didcomm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// V1 is the wire format of DIDComm v1. Make it with [NewV1].
type V1 struct {
	name    string
	verkeys verkeys
}

// NewV1 returns the format "didcomm/v1".
func NewV1() *V1 { return &V1{name: NameV1} }

// Name returns the format's name.
func (f *V1) Name() string { return f.name }

// MediaTypes returns application/didcomm-envelope-enc and the older
// application/ssi-agent-wire.
func (*V1) MediaTypes() []string { return []string{TypeV1, TypeV1Old} }

// Shares implements [wireformat.Sharer].
func (*V1) Shares(wireformat.Message) bool { return true }

// Encode encrypts a message of text for the recipients, and then once for each
// routing key: the first of them opens the innermost forward, the last the
// outermost.
func (f *V1) Encode(ctx context.Context, p *profile.Profile, m wireformat.Message, to wireformat.Target) (wireformat.Frame, error) {
	body, err := f.encode(ctx, p, m, targetOf(p, to))
	if err != nil {
		return wireformat.Frame{}, formatError(wireformat.ErrEncode, f.name, err)
	}
	mediaType, err := v1MediaType(p)
	if err != nil {
		return wireformat.Frame{}, formatError(wireformat.ErrEncode, f.name, err)
	}
	return wireformat.Frame{ContentType: mediaType, Body: body}, nil
}

func v1MediaType(p *profile.Profile) (string, error) {
	isNew, err := flag(p, SettingNewMediaType, true)
	if isNew {
		return TypeV1, err
	}
	return TypeV1Old, err
}

func (f *V1) encode(ctx context.Context, p *profile.Profile, m wireformat.Message, to wireformat.Target) ([]byte, error) {
	switch {
	case len(to.Recipients) == 0:
		return nil, errors.New("there are no recipients: give the verkeys that may read the message")
	case len(to.Recipients) > maxRecipients:
		return nil, fmt.Errorf("there are %d recipients, and at most %d are allowed", len(to.Recipients), maxRecipients)
	case len(to.Routing) > maxRouting:
		return nil, fmt.Errorf("there are %d routing keys, and at most %d are allowed", len(to.Routing), maxRouting)
	}
	if _, _, err := readV1(ctx, p, m.Payload, nil); err != nil {
		return nil, err
	}
	recipients, err := f.verkeys.parseAll("recipient", to.Recipients)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, recipient := range recipients {
		if seen[recipient.text] {
			return nil, fmt.Errorf("recipient %d is there twice", i+1)
		}
		seen[recipient.text] = true
	}
	routing, err := f.verkeys.parseAll("routing key", to.Routing)
	if err != nil {
		return nil, err
	}
	var sender *ownKey
	if to.Sender != "" {
		from, err := f.verkeys.parse(to.Sender)
		if err != nil {
			return nil, fmt.Errorf("sender: %w", err)
		}
		if sender, err = findOwn(ctx, p, from); err != nil {
			return nil, fmt.Errorf("sender: %w", err)
		}
	}
	packed, err := packV1(m.Payload, recipients, sender)
	if err != nil {
		return nil, err
	}
	return forwardV1(p, packed, recipients[0], routing)
}

// Type of a forward (RFC 0094), and its two prefixes.
const (
	forwardType = "routing/1.0/forward"
	newPrefix   = "https://didcomm.org/"
	oldPrefix   = "did:sov:BzCbsNYhMrjHiqZDTUASHg;spec/"
)

// forwardV1 wraps an envelope for each router.
func forwardV1(p *profile.Profile, packed []byte, to *verkey, routing []*verkey) ([]byte, error) {
	prefix := newPrefix
	isNew, err := flag(p, SettingNewPrefix, true)
	if err != nil {
		return nil, err
	}
	if !isNew {
		prefix = oldPrefix
	}
	for _, router := range routing {
		forward, err := json.Marshal(struct {
			Type    string          `json:"@type"`
			ID      string          `json:"@id"`
			To      string          `json:"to"`
			Message json.RawMessage `json:"msg"`
		}{prefix + forwardType, transport.NewID(time.Now()).String(), to.text, packed})
		if err != nil {
			return nil, err
		}
		if packed, err = packV1(forward, []*verkey{router}, nil); err != nil {
			return nil, err
		}
		to = router
	}
	return packed, nil
}

// Parse decrypts an envelope with a key of the profile's. The receipt has sender
// and recipient as verkeys, and thread and return route where the message is JSON.
func (f *V1) Parse(ctx context.Context, p *profile.Profile, frame wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	result, err := f.unpack(ctx, p, frame.Body)
	if err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, formatError(wireformat.ErrParse, f.name, err)
	}
	m, receipt, err := readV1(ctx, p, result.message, frame.Header)
	if err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, formatError(wireformat.ErrParse, f.name, err)
	}
	receipt.Format, receipt.Sender, receipt.Recipient = f.name, result.sender, result.recipient
	receipt.Authenticated = result.sender != ""
	return m, receipt, nil
}

// readV1 reads a message in the clear: JSON of Aries, or any other text, of which
// there is nothing to know.
func readV1(ctx context.Context, p *profile.Profile, text []byte, header map[string]string) (wireformat.Message, wireformat.Receipt, error) {
	if !utf8.Valid(text) {
		return wireformat.Message{}, wireformat.Receipt{}, errors.New("the message is not UTF-8")
	}
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		m := wireformat.Message{ContentType: "text/plain; charset=utf-8", Text: true, Payload: text, Metadata: transport.Metadata(header).Clone()}
		return m, wireformat.Receipt{}, nil
	}
	m, receipt, err := (&wireformat.JSON{}).Parse(ctx, p, wireformat.Frame{Text: true, Header: header, Body: text})
	return m, receipt, wireformat.Cause(err)
}

// RecipientKeys returns the verkeys that a frame is for.
func (f *V1) RecipientKeys(frame wireformat.Frame) ([]string, error) {
	s, err := parseV1(frame.Body)
	if err != nil {
		return nil, formatError(wireformat.ErrRecipientKeys, f.name, err)
	}
	keys := make([]string, len(s.recipients))
	for i, recipient := range s.recipients {
		keys[i] = recipient.kid
	}
	return keys, nil
}

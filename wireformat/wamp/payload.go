package wamp

import (
	"fmt"
	"maps"
)

// Payload is what an application sends: arguments by place and by name, or bytes
// that routers pass on as they are.
type Payload struct {
	Args   []any
	Kwargs map[string]any
	// Opaque, when not nil, is the payload, and there are no arguments: payload
	// transparency.
	Opaque []byte
}

// IsZero reports a payload with nothing in it.
func (p Payload) IsZero() bool { return p.Opaque == nil && len(p.Args) == 0 && len(p.Kwargs) == 0 }

// appendTo appends it to a message's list, in the shortest form.
func (p Payload) appendTo(list []any) []any {
	switch {
	case p.Opaque != nil:
		return append(list, p.Opaque)
	case len(p.Kwargs) > 0 && p.Args == nil:
		return append(list, []any{}, p.Kwargs)
	case len(p.Kwargs) > 0:
		return append(list, p.Args, p.Kwargs)
	case len(p.Args) > 0:
		return append(list, p.Args)
	}
	return list
}

// Carrier is a message with a payload.
type Carrier interface {
	Message
	// Carries returns the payload, and the options or details that describe it.
	Carries() (Payload, Dict)
	// With returns a copy of the message with others.
	With(p Payload, attributes Dict) Message
}

// Style is how a message says that its payload is encoded.
type Style int

const (
	// StyleEnc is autobahn's: enc_algo, enc_serializer and enc_key, and the bytes in
	// place of the arguments.
	StyleEnc Style = iota
	// StylePPT is the specification's payload passthru mode: ppt_scheme,
	// ppt_serializer, ppt_cipher and ppt_keyid, and the bytes as the only argument.
	StylePPT
)

// schemeWAMP is the specification's ppt_scheme for its own end-to-end encryption,
// of which cryptobox is one cipher.
const schemeWAMP = "wamp"

// EncodedPayload is a payload in bytes, and what they are: autobahn's type of that
// name.
type EncodedPayload struct {
	Payload    []byte
	Algo       string // "cryptobox"; StylePPT calls that scheme wamp, and tells by the cipher
	Serializer string // "json"
	Key        string // id of the key, may be empty
	Cipher     string // ppt_cipher, may be empty; StyleEnc has none
}

// Attach puts an encoded payload into a message, in place of what it carried.
func (e *EncodedPayload) Attach(m Carrier, style Style) Message {
	_, before := m.Carries()
	attributes := make(Dict, len(before)+4)
	maps.Copy(attributes, before)
	set := func(name, value string) {
		if value != "" {
			attributes[name] = value
		}
	}
	if style == StylePPT {
		scheme := e.Algo
		if scheme == AlgoCryptobox {
			scheme = schemeWAMP
		}
		set("ppt_scheme", scheme)
		set("ppt_serializer", e.Serializer)
		set("ppt_keyid", e.Key)
		set("ppt_cipher", e.Cipher)
		return m.With(Payload{Args: []any{e.Payload}}, attributes)
	}
	set("enc_algo", e.Algo)
	set("enc_serializer", e.Serializer)
	set("enc_key", e.Key)
	return m.With(Payload{Opaque: e.Payload}, attributes)
}

// Encoded returns the encoded payload of a message in either style, nil where its
// payload is in clear. The error is a [*ProtocolError].
func Encoded(m Carrier) (*EncodedPayload, error) {
	p, attributes := m.Carries()
	text := func(name string) string {
		v, _ := attributes[name].(string)
		return v
	}
	switch {
	case text("ppt_scheme") != "":
		e := &EncodedPayload{
			Algo: text("ppt_scheme"), Serializer: text("ppt_serializer"), Key: text("ppt_keyid"), Cipher: text("ppt_cipher"),
		}
		if e.Algo == schemeWAMP && e.Cipher == CipherCryptobox {
			e.Algo = AlgoCryptobox
		}
		if e.Payload = p.Opaque; e.Payload != nil {
			return e, nil
		}
		if len(p.Args) == 1 && len(p.Kwargs) == 0 {
			if b, ok := p.Args[0].([]byte); ok {
				e.Payload = b
				return e, nil
			}
		}
		return nil, &ProtocolError{m.Type().String(), "Arguments", "ppt_scheme wants one argument, in bytes"}
	case text("enc_algo") != "":
		if p.Opaque == nil {
			return nil, &ProtocolError{m.Type().String(), "Arguments", "enc_algo wants a payload in bytes"}
		}
		return &EncodedPayload{Payload: p.Opaque, Algo: text("enc_algo"), Serializer: text("enc_serializer"), Key: text("enc_key")}, nil
	}
	return nil, nil
}

// String keeps the payload out of text.
func (p Payload) String() string {
	if p.Opaque != nil {
		return fmt.Sprintf("payload of %d bytes", len(p.Opaque))
	}
	return fmt.Sprintf("payload of %d arguments by place and %d by name", len(p.Args), len(p.Kwargs))
}

package sealqueue

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

const (
	nonceSize = chacha20poly1305.NonceSizeX
	tagSize   = chacha20poly1305.Overhead

	// anyMarker begins the text in the place of a URI, of whatever version. See
	// isSealed.
	anyMarker = "!!sealed:"
	marker    = anyMarker + "1:"
	// responseMarker begins a sealed response.
	responseMarker = "\x00sealed1"
)

// ErrDamaged says that what is sealed was changed, or belongs to another message.
var ErrDamaged = errors.New("sealed record is damaged, or in the place of another")

// errVersion is no verdict on the message: another program can open it.
var errVersion = errors.New("sealed record was made by another version of the program: use that one")

// encoding is of texts, since not every store keeps bytes in the place of a URI.
var encoding = base64.RawURLEncoding.Strict()

// envelope is a box with what it takes to open it, but for the key.
type envelope struct {
	key   keyring.ID
	nonce []byte
	box   []byte // ciphertext and tag
}

// decodeEnvelope reads the bytes key id, nonce, box. It keeps them.
func decodeEnvelope(blob []byte) (envelope, error) {
	var e envelope
	if len(blob) < len(e.key)+nonceSize+tagSize {
		return envelope{}, fmt.Errorf("%w: it is too short", ErrDamaged)
	}
	blob = blob[copy(e.key[:], blob):]
	e.nonce, e.box = blob[:nonceSize], blob[nonceSize:]
	return e, nil
}

// isSealed reports whether what is in the place of a URI is sealed, or was: all
// that neither is empty nor has the form of a URI. No change of one byte makes the
// marker look like one, since none of them begins with a letter and has but
// letters, digits, "+", "-" and "." before the colon.
func isSealed(uri transport.Secret) bool {
	scheme, _, found := strings.Cut(uri.Reveal(), ":")
	if !found {
		return scheme != ""
	}
	isLetter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	for i := range len(scheme) {
		c := scheme[i]
		if !isLetter(c) && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return true
		}
	}
	return scheme == ""
}

// decodeText reads the text in the place of a URI. The envelope lives until the
// paper is used again.
func (p *paper) decodeText(text string) (envelope, error) {
	content, ours := strings.CutPrefix(text, marker)
	switch {
	case !ours && strings.HasPrefix(text, anyMarker):
		return envelope{}, errVersion
	case !ours:
		return envelope{}, fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	}
	p.text = append(p.text[:0], content...)
	var err error
	if p.blob, err = encoding.AppendDecode(p.blob[:0], p.text); err != nil {
		return envelope{}, fmt.Errorf("%w: it is no base64", ErrDamaged)
	}
	return decodeEnvelope(p.blob)
}

// header is what the address box holds: what it takes to open the body, the
// lengths of the metadata in it, and the URI.
//
//	nonce 24 | tag 16 | entries uvarint | (length of name, length of value) uvarints | URI
type header struct {
	nonce, tag []byte
	entries    int
	lengths    []byte // two uvarints for each entry
	metadata   uint64 // sum of them
	uri        []byte
}

const headerFixed = nonceSize + tagSize

// maxMetadata bounds the sum of the lengths, so that it does not overflow.
const maxMetadata = math.MaxInt32

// decodeHeader reads a header. It keeps the bytes.
func decodeHeader(plain []byte) (header, error) {
	if len(plain) < headerFixed {
		return header{}, fmt.Errorf("%w: its header is too short", ErrDamaged)
	}
	h := header{nonce: plain[:nonceSize], tag: plain[nonceSize:headerFixed]}
	entries, n := binary.Uvarint(plain[headerFixed:])
	rest := plain[headerFixed+max(n, 0):]
	if n <= 0 || entries > uint64(len(rest)/2) {
		return header{}, fmt.Errorf("%w: its header counts wrongly", ErrDamaged)
	}
	h.entries, h.lengths = int(entries), rest //nolint:gosec // no more than there are bytes
	for range 2 * h.entries {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > maxMetadata-h.metadata {
			return header{}, fmt.Errorf("%w: its header measures wrongly", ErrDamaged)
		}
		h.metadata += length
		rest = rest[n:]
	}
	h.lengths, h.uri = h.lengths[:len(h.lengths)-len(rest)], rest
	return h, nil
}

// split takes the body apart, which is the payload and then each name and value.
func (h *header) split(body []byte) ([]byte, transport.Metadata, error) {
	at := len(body) - int(h.metadata) //nolint:gosec // at most maxMetadata
	if at < 0 {
		return nil, nil, fmt.Errorf("%w: its body is too short", ErrDamaged)
	}
	if h.entries == 0 {
		return body, nil, nil
	}
	text, lengths := string(body[at:]), h.lengths
	next := func() (field string) {
		length, n := binary.Uvarint(lengths)
		field, text, lengths = text[:length], text[length:], lengths[n:]
		return field
	}
	metadata := make(transport.Metadata, h.entries)
	for range h.entries {
		name := next()
		metadata[name] = next()
	}
	return body[:at:at], metadata, nil
}

// appendData appends the additional data of a box: all that it is bound to. The
// lengths before the texts keep two lists from having the same bytes.
func appendData(data []byte, purpose string, id transport.ID, texts ...string) []byte {
	data = append(data, purpose...)
	data = append(data, id[:]...)
	for _, text := range texts {
		data = binary.AppendUvarint(data, uint64(len(text)))
		data = append(data, text...)
	}
	return data
}

// The purposes of boxes, with the version. None begins another.
const (
	forAddress  = "outrider seal 1 address\x00"
	forBody     = "outrider seal 1 body\x00"
	forResponse = "outrider seal 1 response\x00"
)

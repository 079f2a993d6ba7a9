package sealqueue

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"strconv"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

// paper is the scratch paper of one call.
type paper struct {
	keys  *keyring.Keyring
	plain []byte // a header
	blob  []byte // an envelope
	text  []byte // the same as text
	data  []byte // additional data

	batch    []queue.Message
	outcomes []queue.Outcome
}

// maxPaper is the most scratch that is kept for the next call, in bytes and in
// messages.
const maxPaper = 64 << 10

// wipe makes the paper fit for the next call: what was secret on it is gone.
func (p *paper) wipe() {
	clear(p.plain[:cap(p.plain)])
	clear(p.batch)
	clear(p.outcomes)
	p.batch, p.outcomes = p.batch[:0], p.outcomes[:0]
}

func (p *paper) large() bool {
	return cap(p.plain)+cap(p.blob)+cap(p.text)+cap(p.data) > maxPaper || cap(p.batch)+cap(p.outcomes) > maxPaper/64
}

// sealMessage replaces what is secret in a message, which is a copy of its
// sender's, by what is to be kept.
func (p *paper) sealMessage(m *queue.Message, key *keyring.Key) {
	p.sealBody(m, key)
	bare := len(p.plain)
	uri := m.URI
	m.URI = p.sealAddress(m.ID, m.Lane, uri, key, bare)
	if len(m.Targets) == 0 {
		return
	}
	targets := make([]queue.Target, len(m.Targets))
	for i, t := range m.Targets {
		if i == m.Target && t.Lane == m.Lane && t.URI.Equal(uri) {
			t.URI = m.URI
		} else {
			t.URI = p.sealAddress(m.ID, t.Lane, t.URI, key, bare)
		}
		targets[i] = t
	}
	m.Targets = targets
}

// sealBody encrypts payload and metadata into one text as long as they are, and
// begins the header.
func (p *paper) sealBody(m *queue.Message, key *keyring.Key) {
	size := len(m.Payload)
	for name, value := range m.Metadata {
		size += len(name) + len(value)
	}
	p.plain = append(p.plain[:0], make([]byte, headerFixed)...)
	p.plain = binary.AppendUvarint(p.plain, uint64(len(m.Metadata)))
	body := append(make([]byte, 0, size+tagSize), m.Payload...)
	for name, value := range m.Metadata {
		p.plain = binary.AppendUvarint(p.plain, uint64(len(name)))
		p.plain = binary.AppendUvarint(p.plain, uint64(len(value)))
		body = append(append(body, name...), value...)
	}
	nonce := p.plain[:nonceSize]
	_, _ = rand.Read(nonce) // never fails: crypto/rand aborts the program instead
	body = key.AEAD().Seal(body[:0], nonce, body, p.bodyData(m))
	copy(p.plain[nonceSize:], body[size:])
	m.Payload, m.Metadata = body[:size:size], nil
}

// bodyData binds a body to its message, and to what the receiver is shown of it.
func (p *paper) bodyData(m *queue.Message) []byte {
	p.data = appendData(p.data[:0], forBody, m.ID, m.Lane.Profile, m.Format, m.ContentType, strconv.FormatBool(m.Text), m.IdempotencyKey)
	return p.data
}

// sealAddress seals a URI with the header on the paper, of that length.
func (p *paper) sealAddress(id transport.ID, lane queue.Lane, uri transport.Secret, key *keyring.Key, bare int) transport.Secret {
	p.plain = append(p.plain[:bare], uri.Reveal()...)
	p.data = appendData(p.data[:0], forAddress, id, lane.Profile, lane.Destination)
	p.blob = appendBox(p.blob[:0], key, p.plain, p.data)
	p.text = append(p.text[:0], marker...)
	p.text = encoding.AppendEncode(p.text, p.blob)
	return transport.NewSecret(string(p.text))
}

// appendBox appends an envelope with a box of plain.
func appendBox(dst []byte, key *keyring.Key, plain, data []byte) []byte {
	id := key.ID()
	dst = append(dst, id[:]...)
	at := len(dst)
	dst = append(dst, make([]byte, nonceSize)...)
	_, _ = rand.Read(dst[at:]) // as above
	return key.AEAD().Seal(dst, dst[at:], plain, data)
}

// openMessage puts what was sealed back into a message. An error leaves the
// message as it was.
func (p *paper) openMessage(ctx context.Context, m *queue.Message) error {
	targets, err := p.openTargets(ctx, m)
	if err != nil {
		return err
	}
	key, h, err := p.openAddress(ctx, m.ID, m.Lane, m.URI)
	if err != nil {
		return err
	}
	body := make([]byte, 0, len(m.Payload)+tagSize)
	body = append(append(body, m.Payload...), h.tag...)
	if body, err = key.AEAD().Open(body[:0], h.nonce, body, p.bodyData(m)); err != nil {
		return ErrDamaged
	}
	payload, metadata, err := h.split(body)
	if err != nil {
		return err
	}
	m.Payload, m.Metadata, m.URI, m.Targets = payload, metadata, transport.NewSecret(string(h.uri)), targets
	return nil
}

// openAddresses puts back the URIs of a message alone.
func (p *paper) openAddresses(ctx context.Context, m *queue.Message) error {
	targets, err := p.openTargets(ctx, m)
	if err != nil {
		return err
	}
	_, h, err := p.openAddress(ctx, m.ID, m.Lane, m.URI)
	if err != nil {
		return err
	}
	m.URI, m.Targets = transport.NewSecret(string(h.uri)), targets
	return nil
}

// openTargets returns a copy of the targets with their URIs.
func (p *paper) openTargets(ctx context.Context, m *queue.Message) ([]queue.Target, error) {
	if len(m.Targets) == 0 {
		return m.Targets, nil
	}
	targets := make([]queue.Target, len(m.Targets))
	for i, t := range m.Targets {
		_, h, err := p.openAddress(ctx, m.ID, t.Lane, t.URI)
		if err != nil {
			return nil, err
		}
		t.URI = transport.NewSecret(string(h.uri))
		targets[i] = t
	}
	return targets, nil
}

// openAddress opens what is in the place of a URI. The header lives until the
// paper is used for another.
func (p *paper) openAddress(ctx context.Context, id transport.ID, lane queue.Lane, uri transport.Secret) (*keyring.Key, header, error) {
	e, err := p.decodeText(uri.Reveal())
	if err != nil {
		return nil, header{}, err
	}
	key, err := p.keys.Find(ctx, lane.Profile, e.key)
	if err != nil {
		return nil, header{}, err
	}
	p.data = appendData(p.data[:0], forAddress, id, lane.Profile, lane.Destination)
	if p.plain, err = key.AEAD().Open(p.plain[:0], e.nonce, e.box, p.data); err != nil {
		return nil, header{}, ErrDamaged
	}
	h, err := decodeHeader(p.plain)
	return key, h, err
}

// hide takes out of a message what could not be opened.
func hide(m *queue.Message) {
	m.URI = transport.Secret{}
	if len(m.Targets) == 0 {
		return
	}
	targets := make([]queue.Target, len(m.Targets))
	for i, t := range m.Targets {
		t.URI = transport.Secret{}
		targets[i] = t
	}
	m.Targets = targets
}

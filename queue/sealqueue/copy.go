package sealqueue

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

// ErrSealed says that a message is sealed, and that there is no keyring to open it.
var ErrSealed = errors.New("message is sealed, and there is no master key to open it: restore the keyring beside the store, and give the key")

// IsSealed reports whether what is in the place of a URI is what a Store keeps
// there. No URI looks so.
func IsSealed(uri transport.Secret) bool { return isSealed(uri) }

// IsLost reports whether an error says that what was sealed can never be opened
// again; other errors say nothing about that.
func IsLost(err error) bool {
	return errors.Is(err, keyring.ErrKeyMissing) || errors.Is(err, ErrDamaged)
}

// Copier opens and seals what is copied out of a sealed store or into one, with
// the id that it has. One without keys opens and seals nothing. It is safe for
// concurrent use.
type Copier struct{ keys *keyring.Keyring }

// NewCopier returns a copier; keys may be nil.
func NewCopier(keys *keyring.Keyring) *Copier { return &Copier{keys} }

// Open puts back what is sealed of a message, in place. A message in the clear
// stays as it is.
//
// Errors: see [IsLost]; [ErrSealed] without keys. The message is then as it was.
func (c *Copier) Open(ctx context.Context, m *queue.Message) error {
	if !isSealed(m.URI) {
		return nil
	}
	if c.keys == nil {
		return ErrSealed
	}
	p := &paper{keys: c.keys}
	defer p.wipe()
	return p.openMessage(ctx, m)
}

// OpenLog puts back the responses of a message's log, in place. One that is lost is
// left out, and its attempt's note says why.
func (c *Copier) OpenLog(ctx context.Context, id transport.ID, profile string, log []queue.Attempt) error {
	for i := range log {
		a := &log[i]
		response, ours := bytes.CutPrefix(a.Response, []byte(responseMarker))
		if !ours {
			continue
		}
		if c.keys == nil {
			return ErrSealed
		}
		p := &paper{keys: c.keys}
		opened, err := p.openResponse(ctx, profile, id, a, response)
		if err != nil && !IsLost(err) {
			return err
		}
		if err != nil {
			a.Note = joinNotes(a.Note, fmt.Sprintf("the response cannot be opened: %v", err))
		}
		a.Response = opened
	}
	return nil
}

// Seal seals a message, in place. The key of a profile that has none is made.
func (c *Copier) Seal(ctx context.Context, m *queue.Message) error {
	if c.keys == nil {
		return nil
	}
	if err := checkTargets(m); err != nil {
		return err
	}
	key, err := c.keys.Active(ctx, m.Lane.Profile)
	if err != nil {
		return err
	}
	p := &paper{keys: c.keys}
	defer p.wipe()
	p.sealMessage(m, key)
	return nil
}

// SealLog seals the responses of a message's log, in place.
func (c *Copier) SealLog(ctx context.Context, id transport.ID, profile string, log []queue.Attempt) error {
	if c.keys == nil {
		return nil
	}
	for i := range log {
		a := &log[i]
		if len(a.Response) == 0 {
			continue
		}
		key, err := c.keys.Active(ctx, profile)
		if err != nil {
			return err
		}
		a.Response = appendBox([]byte(responseMarker), key, a.Response, responseData(nil, profile, id, a))
	}
	return nil
}

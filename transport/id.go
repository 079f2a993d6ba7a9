package transport

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// ID names a message for ever: it is what [queue.Store] keys on, what the caller
// gets back, and what a receiver sees on every attempt and can deduplicate by.
// Its text is a UUID of version 7 (RFC 9562 section 5.7), so ids sort by the
// millisecond in which they were made. The zero value is no id.
//
// [queue.Store]: https://pkg.go.dev/github.com/outrider-go/outrider/queue#Store
type ID [16]byte

// ErrID is returned for text that is not an id.
var ErrID = errors.New("not a message id: want a UUID such as 0198c0de-5b1e-7abc-8def-0123456789ab")

// NewID returns an id for the instant at, with 74 random bits.
func NewID(at time.Time) ID {
	var id ID
	_, _ = rand.Read(id[:]) // never fails: crypto/rand aborts the program instead
	return id.stamp(at)
}

// NewSequentialID returns an id for the instant at whose last 62 bits are seq,
// for a store that finds its row by the id alone.
func NewSequentialID(at time.Time, seq uint64) ID {
	id := NewID(at)
	binary.BigEndian.PutUint64(id[8:], seq)
	return id.stamp(at)
}

// Sequence returns the last 62 bits: what NewSequentialID was given.
func (id ID) Sequence() uint64 { return binary.BigEndian.Uint64(id[8:]) &^ (3 << 62) }

func (id ID) stamp(at time.Time) ID {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli())<<16) // 48 bits are kept
	copy(id[:6], ms[:6])
	id[6] = id[6]&0x0f | 0x70 // version 7
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id
}

// ParseID reads the text form, in either case.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return ID{}, ErrID
	}
	var compact [32]byte
	n := copy(compact[:], text[0:8])
	n += copy(compact[n:], text[9:13])
	n += copy(compact[n:], text[14:18])
	n += copy(compact[n:], text[19:23])
	copy(compact[n:], text[24:])
	if _, err := hex.Decode(id[:], compact[:]); err != nil {
		return ID{}, ErrID
	}
	return id, nil
}

// IsZero reports whether id is no id.
func (id ID) IsZero() bool { return id == ID{} }

// Time returns the instant in the id, to the millisecond.
func (id ID) Time() time.Time {
	ms := uint64(binary.BigEndian.Uint16(id[0:]))<<32 | uint64(binary.BigEndian.Uint32(id[2:]))
	return time.UnixMilli(int64(ms)) //nolint:gosec // 48 bits
}

// String returns the text form, 36 characters.
func (id ID) String() string {
	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	text[8] = '-'
	hex.Encode(text[9:13], id[4:6])
	text[13] = '-'
	hex.Encode(text[14:18], id[6:8])
	text[18] = '-'
	hex.Encode(text[19:23], id[8:10])
	text[23] = '-'
	hex.Encode(text[24:], id[10:])
	return string(text[:])
}

// MarshalText returns the text form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

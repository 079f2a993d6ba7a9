package serializer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Terminators of a value in a batch of JSON. Neither can be in JSON itself, and
// both are read.
const (
	// TerminatorWAMP is the record separator, which the WAMP specification names.
	TerminatorWAMP = 0x1e
	// TerminatorAutobahn is what autobahn writes and reads: an octal 30. It takes
	// nothing else.
	TerminatorAutobahn = 0x18
)

// BatchedOptions are the options of [NewBatched]. The zero value works.
type BatchedOptions struct {
	// Terminator ends each value of a batch of JSON. Default: TerminatorWAMP.
	Terminator byte
	// MaxBytes is the longest batch. Default: 16 MiB.
	MaxBytes int
	// MaxBatch is how many values are in a batch at most. Default: 10000.
	MaxBatch int
}

// NewBatched returns the batched variant of a serializer: WAMP's "json.batched"
// for "json". Values of text end with a terminator; binary ones begin with their
// length in four bytes. The error says what is wrong with the options.
func NewBatched(s Serializer, options BatchedOptions) (Serializer, error) {
	if options.Terminator == 0 {
		options.Terminator = TerminatorWAMP
	}
	if options.MaxBytes == 0 {
		options.MaxBytes = 16 << 20
	}
	if options.MaxBatch == 0 {
		options.MaxBatch = 10_000
	}
	info := s.Info()
	switch {
	case info.Batched:
		return nil, fmt.Errorf("%s is batched already", info.ID)
	case options.Terminator != TerminatorWAMP && options.Terminator != TerminatorAutobahn:
		return nil, errors.New("terminator: want 0x1e or 0x18")
	case options.MaxBytes < 0:
		return nil, errors.New("MaxBytes is negative")
	case options.MaxBatch < 0:
		return nil, errors.New("MaxBatch is negative")
	}
	info.ID += ".batched"
	info.Subprotocol += ".batched"
	info.Batched = true
	return &batched{info, s, options}, nil
}

// longest is the most that four bytes can say, or an int where it has 32 bits.
const longest = math.MaxUint32 & math.MaxInt

type batched struct {
	info    Info
	inner   Serializer
	options BatchedOptions
}

func (s *batched) Info() Info { return s.info }

func (s *batched) Serialize(dst []byte, v any) ([]byte, error) {
	start := len(dst)
	if !s.info.Binary {
		grown, err := s.inner.Serialize(dst, v)
		if err != nil {
			return dst, err
		}
		return append(grown, s.options.Terminator), nil
	}
	grown, err := s.inner.Serialize(append(dst, 0, 0, 0, 0), v)
	if err != nil {
		return dst, err
	}
	length := len(grown) - start - 4
	if length > longest {
		return dst, &Error{ErrSerialize, s.info.ID, errLong(length, longest)}
	}
	binary.BigEndian.PutUint32(grown[start:], uint32(length)) //nolint:gosec // it fits
	return grown, nil
}

func (s *batched) Unserialize(b []byte) ([]any, error) {
	if len(b) > s.options.MaxBytes {
		return nil, &Error{ErrUnserialize, s.info.ID, errLong(len(b), s.options.MaxBytes)}
	}
	if len(b) == 0 {
		return nil, &Error{ErrUnserialize, s.info.ID, errEmpty}
	}
	cut := cutBinary
	if !s.info.Binary {
		cut = cutText
	}
	var values []any
	for len(b) > 0 {
		one, rest, ok := cut(b)
		if !ok {
			return nil, &Error{ErrUnserialize, s.info.ID, errCut}
		}
		if len(values) == s.options.MaxBatch {
			return nil, &Error{ErrUnserialize, s.info.ID, errMany(s.options.MaxBatch)}
		}
		inner, err := s.inner.Unserialize(one)
		if err != nil {
			return nil, err
		}
		values, b = append(values, inner...), rest
	}
	return values, nil
}

// cutBinary cuts the first value from a batch.
func cutBinary(b []byte) (one, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	length := int64(binary.BigEndian.Uint32(b))
	if length > int64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+length], b[4+length:], true
}

func cutText(b []byte) (one, rest []byte, ok bool) {
	end := bytes.IndexAny(b, string([]byte{TerminatorWAMP, TerminatorAutobahn}))
	if end < 0 {
		return nil, nil, false
	}
	return b[:end], b[end+1:], true
}

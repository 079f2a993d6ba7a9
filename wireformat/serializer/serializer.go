package serializer

import (
	"cmp"
	"errors"
	"fmt"
)

// Serializer is a serialization format: autobahn's IObjectSerializer, with the
// numbers and names that WAMP and the web know it by.
type Serializer interface {
	// Info says what the format is called.
	Info() Info
	// Serialize appends v to dst. Of a batched serializer, several values may be
	// appended one after the other. On an error it returns dst as it was.
	Serialize(dst []byte, v any) ([]byte, error)
	// Unserialize reads the values of one message: exactly one, or at least one
	// from a batched serializer. It keeps no reference to b.
	Unserialize(b []byte) ([]any, error)
}

// Info is what a serializer is called.
type Info struct {
	// ID is WAMP's name: "json", "cbor.batched".
	ID string
	// RawSocket is the number in WAMP's RawSocket handshake, 1 to 15.
	RawSocket int
	// Subprotocol is the WebSocket sub-protocol: "wamp.2.json".
	Subprotocol string
	// MediaTypes are those it is known by. The first is the one to emit.
	// They are not to be changed.
	MediaTypes []string
	// Binary says that the bytes are not text: a WebSocket binary frame.
	Binary bool
	// Batched says that a message may hold several values.
	Batched bool
}

// MediaType is the media type to emit.
func (i Info) MediaType() string { return i.MediaTypes[0] }

// IDs of the built-in serializers, and of one that is reserved.
const (
	JSONID        = "json"
	MsgPackID     = "msgpack"
	CBORID        = "cbor"
	UBJSONID      = "ubjson"
	FlatBuffersID = "flatbuffers" // not built in
)

const subprotocolPrefix = "wamp.2."

func infoOf(id string, rawSocket int, binary bool, mediaTypes ...string) Info {
	return Info{ID: id, RawSocket: rawSocket, Subprotocol: subprotocolPrefix + id, MediaTypes: mediaTypes, Binary: binary}
}

// Limits bound what a serializer reads and writes. The zero value stands for the
// defaults.
type Limits struct {
	// MaxBytes is the longest message. Default: 16 MiB.
	MaxBytes int
	// MaxDepth is how deep maps and arrays nest, at most 1024. Default: 64.
	MaxDepth int
	// MaxValues is how many values a message holds, those in maps and arrays and
	// the keys of maps included. A value takes about 40 bytes of memory. Default:
	// a million.
	MaxValues int
}

func (l Limits) withDefaults() Limits {
	l.MaxBytes = cmp.Or(l.MaxBytes, 16<<20)
	l.MaxDepth = cmp.Or(l.MaxDepth, 64)
	l.MaxValues = cmp.Or(l.MaxValues, 1_000_000)
	return l
}

func (l Limits) validate() error {
	var faults []error
	if l.MaxBytes < 0 {
		faults = append(faults, errors.New("MaxBytes is negative"))
	}
	if l.MaxDepth < 0 || l.MaxDepth > 1024 {
		faults = append(faults, errors.New("MaxDepth: want 0 to 1024"))
	}
	if l.MaxValues < 0 {
		faults = append(faults, errors.New("MaxValues is negative"))
	}
	return errors.Join(faults...)
}

// checked returns the limits to use, or what is wrong with them.
func checked(id string, l Limits) (Limits, error) {
	if err := l.validate(); err != nil {
		return Limits{}, fmt.Errorf("%s limits: %w", id, err)
	}
	return l.withDefaults(), nil
}

// format is what the built-in serializers differ in.
type format interface {
	// encode appends a value of the model.
	encode(dst []byte, v any) ([]byte, error)
	// decode reads one value, and all of b.
	decode(b []byte) (any, error)
}

// single is a Serializer with one value in each message.
type single struct {
	info   Info
	limits Limits
	format format
}

func (s *single) Info() Info { return s.info }

func (s *single) Serialize(dst []byte, v any) ([]byte, error) {
	v, err := model(v, s.limits)
	if err == nil {
		var grown []byte
		grown, err = s.format.encode(dst, v)
		if length := len(grown) - len(dst); err == nil && length > s.limits.MaxBytes {
			err = errLong(length, s.limits.MaxBytes)
		}
		if err == nil {
			return grown, nil
		}
	}
	return dst, &Error{ErrSerialize, s.info.ID, err}
}

func (s *single) Unserialize(b []byte) ([]any, error) {
	v, err := s.one(b)
	if err != nil {
		return nil, &Error{ErrUnserialize, s.info.ID, err}
	}
	return []any{v}, nil
}

func (s *single) one(b []byte) (any, error) {
	if len(b) > s.limits.MaxBytes {
		return nil, errLong(len(b), s.limits.MaxBytes)
	}
	if len(b) == 0 {
		return nil, errEmpty
	}
	return s.format.decode(b)
}

// budget counts down what a message may still hold.
type budget struct{ values, depth int }

func (l Limits) budget() budget { return budget{l.MaxValues, l.MaxDepth} }

package serializer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Registry finds serializers by their names and numbers. Make one with
// [NewRegistry].
type Registry struct {
	mu                           sync.RWMutex
	byID, byMedia, bySubprotocol map[string]Serializer
	byRawSocket                  map[int]Serializer
}

// Builtin returns the serializers of this package in their default options: json,
// msgpack, cbor and ubjson, and their batched variants.
func Builtin() []Serializer {
	var all, batches []Serializer
	add := func(s Serializer, err error) {
		if err != nil {
			return // zero options are valid
		}
		all = append(all, s)
		if b, err := NewBatched(s, BatchedOptions{}); err == nil {
			batches = append(batches, b)
		}
	}
	add(NewJSON(Limits{}))
	add(NewMsgPack(Limits{}))
	add(NewCBOR(CBOROptions{}))
	add(NewUBJSON(UBJSONOptions{}))
	return append(all, batches...)
}

// NewRegistry returns a registry of serializers. The error names the first whose
// names are taken.
func NewRegistry(serializers ...Serializer) (*Registry, error) {
	r := &Registry{
		byID: map[string]Serializer{}, byMedia: map[string]Serializer{}, bySubprotocol: map[string]Serializer{},
		byRawSocket: map[int]Serializer{},
	}
	for _, s := range serializers {
		if err := r.Register(s); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Register adds a serializer: all of its names, or none and an error with
// [ErrDuplicate]. Media types and the RawSocket number are those of the variant
// that is not batched.
func (r *Registry) Register(s Serializer) error {
	info := s.Info()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.byID[info.ID]; taken || info.ID == "" || info.ID == FlatBuffersID {
		return fmt.Errorf("%w: id %q", ErrDuplicate, info.ID)
	}
	if _, taken := r.bySubprotocol[info.Subprotocol]; taken {
		return fmt.Errorf("%w: sub-protocol %q of %s", ErrDuplicate, info.Subprotocol, info.ID)
	}
	if !info.Batched {
		if err := r.checkOwn(info); err != nil {
			return err
		}
		for _, mediaType := range info.MediaTypes {
			r.byMedia[bare(mediaType)] = s
		}
		if info.RawSocket != 0 {
			r.byRawSocket[info.RawSocket] = s
		}
	}
	r.byID[info.ID] = s
	if info.Subprotocol != "" {
		r.bySubprotocol[info.Subprotocol] = s
	}
	return nil
}

// checkOwn checks the names that a batched variant shares with the other.
func (r *Registry) checkOwn(info Info) error {
	for _, mediaType := range info.MediaTypes {
		if _, taken := r.byMedia[bare(mediaType)]; taken {
			return fmt.Errorf("%w: media type %q of %s", ErrDuplicate, mediaType, info.ID)
		}
	}
	switch _, taken := r.byRawSocket[info.RawSocket]; {
	case taken, info.RawSocket == flatBuffersRawSocket:
		return fmt.Errorf("%w: RawSocket number %d of %s", ErrDuplicate, info.RawSocket, info.ID)
	case info.RawSocket < 0 || info.RawSocket > 15:
		return fmt.Errorf("RawSocket number %d of %s: want 1 to 15, or 0 for none", info.RawSocket, info.ID)
	}
	return nil
}

// ByID finds a serializer by WAMP's name for it.
func (r *Registry) ByID(id string) (Serializer, error) { return find(r, r.byID, "id", id) }

// ByMediaType finds a serializer by a media type, whatever its parameters and case.
func (r *Registry) ByMediaType(mediaType string) (Serializer, error) {
	return find(r, r.byMedia, "media type", bare(mediaType))
}

// BySubprotocol finds a serializer by a WebSocket sub-protocol.
func (r *Registry) BySubprotocol(name string) (Serializer, error) {
	return find(r, r.bySubprotocol, "sub-protocol", name)
}

// ByRawSocket finds a serializer by its number in WAMP's RawSocket handshake.
func (r *Registry) ByRawSocket(number int) (Serializer, error) {
	return find(r, r.byRawSocket, "RawSocket number", number)
}

// IDs returns the ids of all serializers, sorted.
func (r *Registry) IDs() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.byID))
}

const flatBuffersRawSocket = 5

func find[K comparable](r *Registry, in map[K]Serializer, what string, key K) (Serializer, error) {
	r.mu.RLock()
	s := in[key]
	r.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	switch any(key) {
	case FlatBuffersID, FlatBuffersID + ".batched", "application/x-flatbuffers", subprotocolPrefix + FlatBuffersID, flatBuffersRawSocket:
		return nil, fmt.Errorf("%w: %s %v is WAMP's for FlatBuffers, which is not built in: register a serializer of your own under another id, or use cbor", ErrReserved, what, key)
	}
	return nil, fmt.Errorf("%w: %s %q: there are %s", ErrUnknown, what, fmt.Sprint(key), strings.Join(r.IDs(), ", "))
}

// bare is a media type without its parameters, in lower case.
func bare(mediaType string) string {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

package serializer

import (
	"errors"
	"math/big"
	"reflect"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// CBOROptions are the options of [NewCBOR]. The zero value works.
type CBOROptions struct {
	Limits Limits
	// ShortFloats writes a float in the shortest form that keeps its value, as
	// RFC 8949 section 4.2.1 (deterministic encoding) wants. Default: in eight bytes, as
	// other implementations of WAMP do.
	ShortFloats bool
}

// NewCBOR returns the serializer "cbor": RFC 8949, with the keys of maps in the
// order of their bytes. The error names each limit that is wrong.
func NewCBOR(options CBOROptions) (Serializer, error) {
	limits, err := checked(CBORID, options.Limits)
	if err != nil {
		return nil, err
	}
	f := cborFormat{limits: limits, shortFloats: options.ShortFloats}
	decoding := decodeOptions(limits)
	f.anyKeys, err = decoding.DecMode()
	if err != nil {
		return nil, err
	}
	decoding.DefaultMapType = reflect.TypeFor[map[string]any]()
	if f.names, err = decoding.DecMode(); err != nil {
		return nil, err
	}
	return &single{infoOf(CBORID, 3, true, "application/cbor"), limits, f}, nil
}

// decodeOptions leave arrays and maps to MaxValues. The library's floor for its
// own bounds is 16, and 4 for the depth; the scan holds to what is lower.
func decodeOptions(l Limits) cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IntDec:           cbor.IntDecConvertNone,
		MaxNestedLevels:  min(max(l.MaxDepth+1, 4), 1025),
		MaxArrayElements: max(l.MaxValues, 16),
		MaxMapPairs:      max(l.MaxValues, 16),
		MapKeyByteString: cbor.MapKeyByteStringForbidden,
		BigIntDec:        cbor.BigIntDecodePointer,
		UTF8:             cbor.UTF8RejectInvalid,
	}
}

type cborFormat struct {
	limits         Limits
	shortFloats    bool
	names, anyKeys cbor.DecMode // for maps with text alone as keys, and others
}

func (f cborFormat) decode(b []byte) (any, error) {
	if err := scanCBOR(b, f.limits); err != nil {
		return nil, err
	}
	var v any
	if f.names.Unmarshal(b, &v) == nil {
		return fromCBOR(v)
	}
	v = nil
	if err := f.anyKeys.Unmarshal(b, &v); err != nil {
		return nil, cborFault(err)
	}
	return fromCBOR(v)
}

// cborFault is a decoding error in words that repeat nothing of the message.
func cborFault(err error) error {
	if _, twice := errors.AsType[*cbor.DupMapKeyError](err); twice {
		return errTwice
	}
	if _, key := errors.AsType[*cbor.InvalidMapKeyTypeError](err); key {
		return errors.New("a map has a key that is an array, a map, bytes or a tag")
	}
	if _, meaning := errors.AsType[*cbor.SemanticError](err); meaning && strings.Contains(err.Error(), "UTF-8") {
		return errText
	}
	if _, content := errors.AsType[*cbor.UnmarshalTypeError](err); content {
		return errors.New("a tag has content of the wrong type")
	}
	if _, extra := errors.AsType[*cbor.ExtraneousDataError](err); extra {
		return errTrailing
	}
	if _, syntax := errors.AsType[*cbor.SyntaxError](err); syntax {
		return errCBOR
	}
	return errors.New("a tagged value is not what its tag says")
}

var errCBOR = errors.New("it is not well-formed CBOR")

// fromCBOR turns what the library reads into the model, in place.
func fromCBOR(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case uint64:
		if int64(v) >= 0 { //nolint:gosec // the sign tells whether it fits
			return int64(v), nil //nolint:gosec // it does
		}
	case *big.Int:
		result, _, err := bigInt(v)
		return result, err
	case cbor.Tag:
		content, err := fromCBOR(v.Content)
		return Tag{v.Number, content}, err
	case cbor.SimpleValue:
		return Simple(v), nil
	case time.Time:
		if _, err := timeText(v); err != nil {
			return nil, errInstant
		}
	case []any:
		for i := range v {
			if v[i], err = fromCBOR(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		return v, namesFromCBOR(v)
	case map[any]any:
		return pairsFromCBOR(v)
	}
	return v, nil
}

func namesFromCBOR(values map[string]any) error {
	for name, v := range values {
		changed, err := fromCBOR(v)
		if err != nil {
			return err
		}
		switch v.(type) {
		case uint64, *big.Int, cbor.Tag, cbor.SimpleValue, map[any]any:
			values[name] = changed // the others are changed in place
		}
	}
	return nil
}

// pairsFromCBOR makes a map[string]any wherever all keys are strings.
func pairsFromCBOR(pairs map[any]any) (any, error) {
	if hasOtherKeys(pairs) {
		return otherPairs(pairs)
	}
	named := make(map[string]any, len(pairs))
	for key, v := range pairs {
		v, err := fromCBOR(v)
		if err != nil {
			return nil, err
		}
		name, _ := key.(string)
		named[name] = v
	}
	return named, nil
}

func hasOtherKeys(pairs map[any]any) bool {
	for key := range pairs {
		if _, ok := key.(string); !ok {
			return true
		}
	}
	return false
}

func otherPairs(pairs map[any]any) (any, error) {
	converted := make(map[any]any, len(pairs))
	for key, v := range pairs {
		key, err := fromCBOR(key)
		if err == nil {
			v, err = fromCBOR(v)
		}
		if err == nil {
			err = putKey(converted, key, v)
		}
		if err != nil {
			return nil, err
		}
	}
	return converted, nil
}

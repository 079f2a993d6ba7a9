package serializer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
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
	f := cborFormat{limits: limits}
	if f.enc, err = encodeOptions(options).UserBufferEncMode(); err != nil {
		return nil, err
	}
	if f.dec, err = decodeOptions(limits).DecMode(); err != nil {
		return nil, err
	}
	return &single{infoOf(CBORID, 3, true, "application/cbor"), limits, f}, nil
}

func encodeOptions(options CBOROptions) cbor.EncOptions {
	enc := cbor.EncOptions{
		Sort:          cbor.SortBytewiseLexical,
		ShortestFloat: cbor.ShortestFloatNone,
		NaNConvert:    cbor.NaNConvertNone,
		InfConvert:    cbor.InfConvertNone,
		BigIntConvert: cbor.BigIntConvertShortest,
		IndefLength:   cbor.IndefLengthForbidden,
	}
	if options.ShortFloats {
		enc.ShortestFloat, enc.NaNConvert, enc.InfConvert = cbor.ShortestFloat16, cbor.NaNConvert7e00, cbor.InfConvertFloat16
	}
	return enc
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
	limits Limits
	enc    cbor.UserBufferEncMode
	dec    cbor.DecMode
}

func (f cborFormat) encode(dst []byte, v any) ([]byte, error) {
	v, err := toCBOR(v)
	if err != nil {
		return dst, err
	}
	buffer := bytes.NewBuffer(dst)
	if err := f.enc.MarshalToBuffer(v, buffer); err != nil {
		return dst, err
	}
	return buffer.Bytes(), nil
}

// toCBOR turns the types of the model that the library does not know into its
// own. It copies a container only where one of them is in it.
func toCBOR(v any) (any, error) {
	switch v := v.(type) {
	case Tag:
		content, err := toCBOR(v.Content)
		return cbor.Tag{Number: v.Number, Content: content}, err
	case Simple:
		if v >= 20 && v <= 31 {
			return nil, fmt.Errorf("%d is not a simple value of its own: want 0 to 19, or 32 to 255", v)
		}
		return cbor.SimpleValue(v), nil
	case Ext:
		return nil, errNoForm(v, "CBOR")
	case time.Time:
		text, err := timeText(v) // the library writes the zero time as null
		return cbor.Tag{Number: 0, Content: text}, err
	case []any:
		return arrayToCBOR(v)
	case map[string]any:
		return mapToCBOR(v)
	case map[any]any:
		return mapToCBOR(v)
	}
	return v, nil
}

// isForeign reports a value that toCBOR may change.
func isForeign(v any) bool {
	switch v.(type) {
	case Tag, Simple, Ext, time.Time, []any, map[string]any, map[any]any:
		return true
	}
	return false
}

func arrayToCBOR(values []any) (any, error) {
	var fresh []any
	for i, v := range values {
		if !isForeign(v) {
			continue
		}
		v, err := toCBOR(v)
		if err != nil {
			return nil, err
		}
		if fresh == nil {
			fresh = slices.Clone(values)
		}
		fresh[i] = v
	}
	if fresh != nil {
		return fresh, nil
	}
	return values, nil
}

func mapToCBOR[K comparable](values map[K]any) (any, error) {
	var fresh map[K]any
	for key, v := range values {
		if !isForeign(v) {
			continue
		}
		v, err := toCBOR(v)
		if err != nil {
			return nil, err
		}
		if fresh == nil {
			fresh = maps.Clone(values)
		}
		fresh[key] = v
	}
	if fresh != nil {
		return fresh, nil
	}
	return values, nil
}

func (f cborFormat) decode(b []byte) (any, error) {
	if err := scanCBOR(b, f.limits); err != nil {
		return nil, err
	}
	var v any
	if err := f.dec.Unmarshal(b, &v); err != nil {
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

// scanCBOR counts the values of well-formed CBOR and how deep they nest, and
// looks for integers that are too long, so that the library is never given more
// than it may make. Whether the rest is well-formed is the library's to say.
func scanCBOR(b []byte, limits Limits) error {
	s := cborScan{b: b, limits: limits, left: limits.MaxValues}
	if err := s.value(0); err != nil {
		return err
	}
	if len(s.b) > 0 {
		return errTrailing
	}
	return nil
}

type cborScan struct {
	b      []byte
	limits Limits
	left   int
}

const (
	cborBytes = 2
	cborText  = 3
	cborArray = 4
	cborMap   = 5
	cborTag   = 6
	cborOther = 7

	cborIndefinite = 31
	cborBreak      = 0xff
)

// head reads the head of a data item: RFC 8949 section 3.
func (s *cborScan) head() (major, info byte, argument uint64, err error) {
	if len(s.b) == 0 {
		return 0, 0, 0, errCut
	}
	major, info = s.b[0]>>5, s.b[0]&31
	s.b = s.b[1:]
	switch {
	case info < 24:
		return major, info, uint64(info), nil
	case info < 28:
		size := 1 << (info - 24)
		if len(s.b) < size {
			return 0, 0, 0, errCut
		}
		var padded [8]byte
		copy(padded[8-size:], s.b[:size])
		s.b = s.b[size:]
		return major, info, binary.BigEndian.Uint64(padded[:]), nil
	case info == cborIndefinite && major != cborTag && major > 1:
		return major, info, 0, nil
	}
	return 0, 0, 0, errCBOR
}

func (s *cborScan) value(depth int) error {
	if s.left--; s.left < 0 {
		return errMany(s.limits.MaxValues)
	}
	if len(s.b) > 0 && s.b[0] == cborBreak {
		return errCBOR
	}
	major, info, argument, err := s.head()
	if err != nil || major < cborBytes || major == cborOther {
		return err
	}
	if (major >= cborArray || info == cborIndefinite) && depth >= s.limits.MaxDepth {
		return errDeep(s.limits.MaxDepth)
	}
	switch {
	case info == cborIndefinite:
		return s.indefinite(major, depth+1)
	case major == cborTag:
		return s.tagged(argument, depth+1)
	case major == cborArray:
		return s.values(argument, depth+1)
	case major == cborMap:
		if argument > uint64(len(s.b)) {
			return errCut
		}
		return s.values(2*argument, depth+1)
	}
	return s.skip(argument)
}

func (s *cborScan) values(n uint64, depth int) error {
	if n > uint64(len(s.b)) {
		return errCut
	}
	for range n {
		if err := s.value(depth); err != nil {
			return err
		}
	}
	return nil
}

func (s *cborScan) tagged(tag uint64, depth int) error {
	switch {
	case (tag == 2 || tag == 3) && s.isLongInteger():
		return errLongInteger
	case tag == 1 && s.isNoInstant():
		return errInstant
	}
	return s.value(depth)
}

// indefinite reads items until the break. A part of a string counts as a value.
func (s *cborScan) indefinite(major byte, depth int) error {
	for {
		if len(s.b) > 0 && s.b[0] == cborBreak {
			s.b = s.b[1:]
			return nil
		}
		if err := s.value(depth); err != nil {
			return err
		}
		if major == cborMap {
			if err := s.value(depth); err != nil {
				return err
			}
		}
	}
}

func (s *cborScan) skip(length uint64) error {
	if length > uint64(len(s.b)) {
		return errCut
	}
	s.b = s.b[length:]
	return nil
}

// isLongInteger reports a byte string longer than a *big.Int of the model.
func (s *cborScan) isLongInteger() bool {
	ahead := *s
	major, info, length, err := ahead.head()
	return err == nil && major == cborBytes && (info == cborIndefinite || length > maxBits/8)
}

var errInstant = errors.New("a time is no instant from the year 0 to 9999")

// isNoInstant reports a float without a finite value, of which the library would
// make the year 1.
func (s *cborScan) isNoInstant() bool {
	ahead := *s
	major, info, bits, err := ahead.head()
	if err != nil || major != cborOther {
		return false
	}
	switch info {
	case 25:
		return bits>>10&31 == 31
	case 26:
		return bits>>23&255 == 255
	case 27:
		return bits>>52&2047 == 2047
	}
	return false
}

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
	case map[any]any:
		return pairsFromCBOR(v)
	}
	return v, nil
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

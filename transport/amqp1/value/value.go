package value

// Value is one AMQP value: one of the types of this package, never a pointer to
// one. Where a Value is nil, [Null] is meant.
type Value interface {
	// Type returns the value's AMQP type.
	Type() Type
}

// The primitive types of part 1, section 1.6, and the compound ones.
type (
	// Null is the absence of a value.
	Null struct{}
	// Bool is the type boolean.
	Bool bool

	// UByte has 8 bits and no sign.
	UByte uint8
	// UShort has 16 bits and no sign.
	UShort uint16
	// UInt has 32 bits and no sign.
	UInt uint32
	// ULong has 64 bits and no sign.
	ULong uint64
	// Byte has 8 bits, one of them the sign.
	Byte int8
	// Short has 16 bits, one of them the sign.
	Short int16
	// Int has 32 bits, one of them the sign.
	Int int32
	// Long has 64 bits, one of them the sign.
	Long int64

	// Float is IEEE 754 binary32.
	Float float32
	// Double is IEEE 754 binary64.
	Double float64

	// Decimal32 is IEEE 754 decimal32 in the binary integer encoding, big endian,
	// as it stands on the wire.
	Decimal32 [4]byte
	// Decimal64 is decimal64, likewise.
	Decimal64 [8]byte
	// Decimal128 is decimal128, likewise.
	Decimal128 [16]byte

	// Char is one Unicode character.
	Char rune
	// Timestamp is milliseconds since 1970 in UTC; negative before.
	Timestamp int64
	// UUID is as in RFC 4122, section 4.1.2.
	UUID [16]byte
	// Binary is any bytes.
	Binary []byte
	// String is UTF-8.
	String string
	// Symbol is a name in ASCII.
	Symbol string

	// List is values of any types.
	List []Value
	// Map is pairs in their order. No two keys are equal.
	Map []Pair
)

// Pair is an entry of a [Map].
type Pair struct{ Key, Value Value }

// Array is values of one type. Descriptors, the outermost first, are for each of
// the elements, which are given without them: on the wire an array has one
// constructor for all.
type Array struct {
	Of          Type
	Descriptors []Value
	Elements    []Value
}

// Described is a value with a descriptor that says what it stands for (section
// 1.3). The specification knows symbols and ulongs as descriptors, and reserves
// all else.
type Described struct{ Descriptor, Value Value }

// Type is the AMQP type of a [Value].
type Type uint8

// The types. TypeDescribed is that of [Described], whatever its value.
const (
	TypeNull Type = iota
	TypeBool
	TypeUByte
	TypeUShort
	TypeUInt
	TypeULong
	TypeByte
	TypeShort
	TypeInt
	TypeLong
	TypeFloat
	TypeDouble
	TypeDecimal32
	TypeDecimal64
	TypeDecimal128
	TypeChar
	TypeTimestamp
	TypeUUID
	TypeBinary
	TypeString
	TypeSymbol
	TypeList
	TypeMap
	TypeArray
	TypeDescribed
)

var typeNames = [...]string{
	"null", "boolean", "ubyte", "ushort", "uint", "ulong", "byte", "short", "int", "long",
	"float", "double", "decimal32", "decimal64", "decimal128", "char", "timestamp", "uuid",
	"binary", "string", "symbol", "list", "map", "array", "described",
}

// String returns the specification's name, such as "ulong".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "no type"
}

// TypeOf returns a value's type: [TypeNull] where it is nil.
func TypeOf(v Value) Type {
	if v == nil {
		return TypeNull
	}
	return v.Type()
}

// Type returns [TypeNull].
func (Null) Type() Type { return TypeNull }

// Type returns [TypeBool].
func (Bool) Type() Type { return TypeBool }

// Type returns [TypeUByte].
func (UByte) Type() Type { return TypeUByte }

// Type returns [TypeUShort].
func (UShort) Type() Type { return TypeUShort }

// Type returns [TypeUInt].
func (UInt) Type() Type { return TypeUInt }

// Type returns [TypeULong].
func (ULong) Type() Type { return TypeULong }

// Type returns [TypeByte].
func (Byte) Type() Type { return TypeByte }

// Type returns [TypeShort].
func (Short) Type() Type { return TypeShort }

// Type returns [TypeInt].
func (Int) Type() Type { return TypeInt }

// Type returns [TypeLong].
func (Long) Type() Type { return TypeLong }

// Type returns [TypeFloat].
func (Float) Type() Type { return TypeFloat }

// Type returns [TypeDouble].
func (Double) Type() Type { return TypeDouble }

// Type returns [TypeDecimal32].
func (Decimal32) Type() Type { return TypeDecimal32 }

// Type returns [TypeDecimal64].
func (Decimal64) Type() Type { return TypeDecimal64 }

// Type returns [TypeDecimal128].
func (Decimal128) Type() Type { return TypeDecimal128 }

// Type returns [TypeChar].
func (Char) Type() Type { return TypeChar }

// Type returns [TypeTimestamp].
func (Timestamp) Type() Type { return TypeTimestamp }

// Type returns [TypeUUID].
func (UUID) Type() Type { return TypeUUID }

// Type returns [TypeBinary].
func (Binary) Type() Type { return TypeBinary }

// Type returns [TypeString].
func (String) Type() Type { return TypeString }

// Type returns [TypeSymbol].
func (Symbol) Type() Type { return TypeSymbol }

// Type returns [TypeList].
func (List) Type() Type { return TypeList }

// Type returns [TypeMap].
func (Map) Type() Type { return TypeMap }

// Type returns [TypeArray].
func (Array) Type() Type { return TypeArray }

// Type returns [TypeDescribed].
func (Described) Type() Type { return TypeDescribed }

// Get returns the value under a key, and whether there is one. It looks at each
// pair.
func (m Map) Get(key Value) (Value, bool) {
	for _, pair := range m {
		if Equal(pair.Key, key) {
			return pair.Value, true
		}
	}
	return nil, false
}

package value

// Value is one AMQP value: one of the types of this package, never a pointer to
// one. Where a Value is nil, [Null] is meant.
type Value interface {
	// Type returns the value's AMQP type.
	Type() Type
}

// The primitive types of part 1, section 1.6. What is not said here is as in Go.
type (
	// Null is the absence of a value.
	Null struct{}
	// Bool is the type boolean.
	Bool bool

	UByte  uint8
	UShort uint16
	UInt   uint32
	ULong  uint64
	Byte   int8
	Short  int16
	Int    int32
	Long   int64

	Float  float32
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

func (Null) Type() Type       { return TypeNull }
func (Bool) Type() Type       { return TypeBool }
func (UByte) Type() Type      { return TypeUByte }
func (UShort) Type() Type     { return TypeUShort }
func (UInt) Type() Type       { return TypeUInt }
func (ULong) Type() Type      { return TypeULong }
func (Byte) Type() Type       { return TypeByte }
func (Short) Type() Type      { return TypeShort }
func (Int) Type() Type        { return TypeInt }
func (Long) Type() Type       { return TypeLong }
func (Float) Type() Type      { return TypeFloat }
func (Double) Type() Type     { return TypeDouble }
func (Decimal32) Type() Type  { return TypeDecimal32 }
func (Decimal64) Type() Type  { return TypeDecimal64 }
func (Decimal128) Type() Type { return TypeDecimal128 }
func (Char) Type() Type       { return TypeChar }
func (Timestamp) Type() Type  { return TypeTimestamp }
func (UUID) Type() Type       { return TypeUUID }
func (Binary) Type() Type     { return TypeBinary }
func (String) Type() Type     { return TypeString }
func (Symbol) Type() Type     { return TypeSymbol }
func (List) Type() Type       { return TypeList }
func (Map) Type() Type        { return TypeMap }
func (Array) Type() Type      { return TypeArray }
func (Described) Type() Type  { return TypeDescribed }

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

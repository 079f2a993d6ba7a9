package value

// Format codes of the constructors of part 1, section 1.6. The upper half of a
// code says how much data follows (section 1.2, "Encoding Codes").
const (
	codeDescribed = 0x00

	codeNull   = 0x40
	codeTrue   = 0x41
	codeFalse  = 0x42
	codeUInt0  = 0x43
	codeULong0 = 0x44
	codeList0  = 0x45

	codeUByte      = 0x50
	codeByte       = 0x51
	codeSmallUInt  = 0x52
	codeSmallULong = 0x53
	codeSmallInt   = 0x54
	codeSmallLong  = 0x55
	codeBool       = 0x56

	codeUShort = 0x60
	codeShort  = 0x61

	codeUInt      = 0x70
	codeInt       = 0x71
	codeFloat     = 0x72
	codeChar      = 0x73
	codeDecimal32 = 0x74

	codeULong     = 0x80
	codeLong      = 0x81
	codeDouble    = 0x82
	codeTimestamp = 0x83
	codeDecimal64 = 0x84

	codeDecimal128 = 0x94
	codeUUID       = 0x98

	codeBinary8  = 0xa0
	codeString8  = 0xa1
	codeSymbol8  = 0xa3
	codeBinary32 = 0xb0
	codeString32 = 0xb1
	codeSymbol32 = 0xb3

	codeList8   = 0xc0
	codeMap8    = 0xc1
	codeList32  = 0xd0
	codeMap32   = 0xd1
	codeArray8  = 0xe0
	codeArray32 = 0xf0
)

// fixedWidth returns how many bytes follow a code below 0xa0.
func fixedWidth(code byte) int {
	if width := code >> 4; width > 4 {
		return 1 << (width - 5)
	}
	return 0
}

// sizeWidth returns how many bytes the size takes that follows a code from 0xa0.
func sizeWidth(code byte) int {
	if code&0x10 == 0 {
		return 1
	}
	return 4
}

// wideCodes are the constructors that carry every value of a type, for arrays.
// TypeDescribed has none: an array's descriptors stand before it.
var wideCodes = [...]byte{
	TypeNull: codeNull, TypeBool: codeBool,
	TypeUByte: codeUByte, TypeUShort: codeUShort, TypeUInt: codeUInt, TypeULong: codeULong,
	TypeByte: codeByte, TypeShort: codeShort, TypeInt: codeInt, TypeLong: codeLong,
	TypeFloat: codeFloat, TypeDouble: codeDouble,
	TypeDecimal32: codeDecimal32, TypeDecimal64: codeDecimal64, TypeDecimal128: codeDecimal128,
	TypeChar: codeChar, TypeTimestamp: codeTimestamp, TypeUUID: codeUUID,
	TypeBinary: codeBinary32, TypeString: codeString32, TypeSymbol: codeSymbol32,
	TypeList: codeList32, TypeMap: codeMap32, TypeArray: codeArray32,
}

// typesOfCodes has the type of each constructor, and TypeNull for codes that
// are none.
var typesOfCodes = [256]Type{
	codeTrue: TypeBool, codeFalse: TypeBool, codeBool: TypeBool,
	codeUByte: TypeUByte, codeUShort: TypeUShort,
	codeUInt0: TypeUInt, codeSmallUInt: TypeUInt, codeUInt: TypeUInt,
	codeULong0: TypeULong, codeSmallULong: TypeULong, codeULong: TypeULong,
	codeByte: TypeByte, codeShort: TypeShort,
	codeSmallInt: TypeInt, codeInt: TypeInt,
	codeSmallLong: TypeLong, codeLong: TypeLong,
	codeFloat: TypeFloat, codeDouble: TypeDouble,
	codeDecimal32: TypeDecimal32, codeDecimal64: TypeDecimal64, codeDecimal128: TypeDecimal128,
	codeChar: TypeChar, codeTimestamp: TypeTimestamp, codeUUID: TypeUUID,
	codeBinary8: TypeBinary, codeBinary32: TypeBinary,
	codeString8: TypeString, codeString32: TypeString,
	codeSymbol8: TypeSymbol, codeSymbol32: TypeSymbol,
	codeList0: TypeList, codeList8: TypeList, codeList32: TypeList,
	codeMap8: TypeMap, codeMap32: TypeMap,
	codeArray8: TypeArray, codeArray32: TypeArray,
}

// typeOfCode returns the type that a constructor makes, and false for a code
// that is none.
func typeOfCode(code byte) (Type, bool) {
	t := typesOfCodes[code]
	return t, t != TypeNull || code == codeNull
}

// compactCode returns the shortest constructor of a value; compound types have a
// size of four bytes, which is known only once they are written. An empty list
// is the exception, as it is in Proton.
func compactCode(v Value) byte {
	switch v := v.(type) {
	case nil:
		return codeNull
	case Bool:
		if v {
			return codeTrue
		}
		return codeFalse
	case Binary:
		return compactLength(len(v), codeBinary8, codeBinary32)
	case String:
		return compactLength(len(v), codeString8, codeString32)
	case Symbol:
		return compactLength(len(v), codeSymbol8, codeSymbol32)
	case List:
		if len(v) == 0 {
			return codeList0
		}
	}
	return compactNumber(v)
}

func compactNumber(v Value) byte {
	switch v := v.(type) {
	case UInt:
		return compactUnsigned(uint64(v), codeUInt0, codeSmallUInt, codeUInt)
	case ULong:
		return compactUnsigned(uint64(v), codeULong0, codeSmallULong, codeULong)
	case Int:
		if -128 <= v && v < 128 {
			return codeSmallInt
		}
	case Long:
		if -128 <= v && v < 128 {
			return codeSmallLong
		}
	}
	return wideCodes[v.Type()]
}

func compactUnsigned(n uint64, zero, small, wide byte) byte {
	switch {
	case n == 0:
		return zero
	case n < 256:
		return small
	}
	return wide
}

func compactLength(n int, short, long byte) byte {
	if n < 256 {
		return short
	}
	return long
}

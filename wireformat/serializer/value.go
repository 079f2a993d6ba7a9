package serializer

// Tag is a tagged value of CBOR (RFC 8949 section 3.4) that is not one of the
// model's: dates (0, 1) and big integers (2, 3) are.
type Tag struct {
	Number  uint64
	Content any
}

// Simple is a simple value of CBOR (RFC 8949 section 3.3) without a meaning of
// its own: 0 to 19, or 32 to 255. Undefined is read as nil.
type Simple uint8

// Ext is an extension of MessagePack. Type -1 is a time and never an Ext.
type Ext struct {
	Type int8
	Data []byte
}

// maxBits is the longest *big.Int, in bits.
const maxBits = 8192

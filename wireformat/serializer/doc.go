// Package serializer turns values into bytes and back: JSON, CBOR, MessagePack
// and UBJSON (or BJData) behind one interface, [Serializer], as WAMP has them.
//
// # Values
//
// All of them share one model, so that what one has read another can write:
//
//	nil, bool, string, []byte
//	int64, and uint64 for what is greater than an int64 can be; *big.Int beyond
//	float64
//	time.Time
//	[]any, map[string]any
//	map[any]any   where a key is no string   CBOR, MessagePack
//	Tag, Simple                              CBOR
//	Ext                                      MessagePack
//
// Serialize takes any other value of Go too: structs by their json tags, named
// types, slices, arrays, maps, pointers, and what implements
// encoding.TextMarshaler, as text. Unserialize returns nothing but the model. What a format
// cannot express is an error, never an approximation: JSON refuses infinity, for
// example. JSON carries bytes as WAMP does, as a string of U+0000 and base64, and
// time as text (RFC 3339).
//
// Maps are written in the order of their keys, so that equal values give equal
// bytes.
//
// # Limits
//
// [Limits] bound the length of a message, how deep it nests, and how many values
// are in it, in both directions. A name that comes twice in a map, bytes after the value, and
// text that is not UTF-8 are errors. Memory is taken for what has been read, not
// for what a length announces.
//
// # Concurrency
//
// A Serializer and a [Registry] are safe for concurrent use.
//
// # Errors
//
// [*Error] with the serializer's id, errors.Is with [ErrSerialize] or
// [ErrUnserialize]. No text repeats what was in the message.
package serializer

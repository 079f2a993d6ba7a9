// Package value is the type system of AMQP 1.0 (part 1, "Types"): a Go type for
// each AMQP type, and the codec between them and bytes.
//
// A [Value] says exactly what goes on the wire: a [Symbol] is not a [String], a
// [UInt] not a [ULong], a [Map] keeps its order, an [Array] knows the type of its
// elements even when it has none, and a [Described] value keeps its descriptor.
// What [Decode] returns, [Append] encodes to the same value again; the same value
// always gives the same bytes, and they are those that Qpid Proton writes.
//
// # Limits
//
// Decoding takes memory in proportion to what was received: how deep values nest,
// how many there are and how many bytes they take is limited, by default to
// [DefaultMaxDepth], [DefaultMaxValues] and [DefaultMaxBytes]. [Limits] are for
// others.
//
// # Errors
//
// errors.Is with [ErrMalformed], [ErrLimit] and [ErrInvalid]. No error repeats
// what a value holds.
//
// # Concurrency
//
// Functions share nothing. A Value may be read by many goroutines.
package value

// MediaType is the content type of bytes that are one encoded AMQP value. A
// transport of AMQP sends a message of this type as an amqp-value section, and
// every other as a data section (part 3, section 3.2).
const MediaType = "application/vnd.outrider.amqp-value"

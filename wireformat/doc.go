// Package wireformat turns what a caller hands in into what goes on the wire,
// and back.
//
// A [Format] encodes a message once, before it is persisted: bad keys fail when
// the message is accepted, and every retry sends the same bytes. What is bound to
// the time of an attempt, such as a signature with a timestamp, is a [Stamper].
//
// A message's choice of format beats the transport's, which beats the profile's;
// where nobody chose, it is [Raw]. A [Registry] knows the formats by name and by
// media type; [Builtin] are those of this package.
//
// # Delivery
//
// Encode runs before a message is kept, so what it refuses was never accepted.
// It may return the caller's payload itself as the frame's body, and Parse the
// frame's body as the message's payload: neither is changed afterwards.
//
// # Concurrency
//
// A Format is used by many goroutines at once. So is a [Registry]: looking up
// takes no lock and allocates nothing.
//
// # Errors
//
// [*Error] with the operation and the format's name; errors.Is with [ErrEncode],
// [ErrParse] and [ErrRecipientKeys]. A format never falls back to a weaker one:
// missing keys are an error, not plaintext.
package wireformat

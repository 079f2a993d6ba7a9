// Package verbatim lets messages and values of every AMQP type travel through
// go-amqp unchanged, both ways.
//
// go-amqp 1.7 cannot encode a char, a decimal, a described value, a ulong as an
// annotation's key or an array of lists, and a message that holds a char, a
// decimal or an array of arrays closes the link on which it arrives. It also
// forgets the order of maps, and that a symbol is no string. So, out:
//
//   - [Message] is a message whose bytes are all given.
//   - [Value] is one value for a field of a message: a body, an annotation, a
//     property, an id, or an element of one.
//
// And in: [NewConn] wraps a connection before amqp.NewConn gets it, such that
// each message that arrives is, to go-amqp, nothing but data, and [Payload] gives
// its bytes back. [Reframe] is the same for who reads frames himself.
//
// go-amqp offers none of this. Its encoder calls the method Marshal of a value
// that has one, with a type of its internal packages, which Go infers; and a
// transfer's payload may be put into data sections where it passes. What is
// assumed of go-amqp is checked by the compiler, and by tests against frames.
//
// # Concurrency
//
// Messages and values may be sent by many goroutines. A connection has one
// reader, as go-amqp reads it.
package verbatim

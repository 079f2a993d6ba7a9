// Package wamp has the messages of WAMP (the Web Application Messaging Protocol,
// version 2), their serializers, and codecs for application payloads: the
// IMessage, ISerializer and IPayloadCodec of autobahn.
//
// A [Message] is read from and written to a list of values. A [Serializer] does
// that in the bytes of one of the formats of package serializer. [Cached] keeps
// the bytes of a message, so that what goes out over many connections is encoded
// once for each format. A [Codec] turns the arguments of a call or an event into a
// payload that routers pass on without looking into it: encrypted, by [KeyRing].
//
// # What is checked
//
// Lists of the wrong length, ids that are not 0 to 2^53, URIs that are not loose
// WAMP URIs, and attributes of options and details that the specification knows
// and that have the wrong type, are a [*ProtocolError]. Attributes that it does
// not know are kept.
//
// # Concurrency
//
// A Serializer, a Cached and a KeyRing are safe for concurrent use. Messages are
// not to be changed once they are shared.
package wamp

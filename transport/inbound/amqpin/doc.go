// Package amqpin receives messages over AMQP 1.0: it takes them from a node of a
// broker, with package amqp1.
//
// # URLs
//
// amqp://user:password@host:port/address?options, and amqps with TLS, as package
// amqpout reads them: the address is the path without its first slash. The options
// beside those of the peer: concurrency, credit, credit-threshold, fetch, selector,
// copy, link-name, durability, expiry-policy, expiry-timeout, capabilities,
// dynamic, max-message-size. One that is not known is an error.
//
// # Messages
//
// The payload is the data of the message, its sections one after the other, or a
// value that is a string or a binary. Any other value, and a sequence, is the
// encoding of the value with the media type of wire format amqpjson, which reads
// it. Application properties are metadata, and so are the fields of the message,
// as amqp.subject and the like; the message-id is Message-Id.
//
// # Outcomes
//
// A message is settled when the handler has returned: accepted where it took it.
// Otherwise as the handler says with [Rejected], [Released] or [Modified], or else by
// the refusal: rejected where it is malformed (amqp:decode-error), for nobody known
// (amqp:not-found), refused (amqp:unauthorized-access) or too large
// (amqp:link:message-size-exceeded); released where there is no room; modified as
// failed where we failed.
//
// # Delivery
//
// At least once: what was not settled when a link ended is delivered again. There is
// nothing to write to on such a link, so a handler's reply goes to Options.Unsent of
// the manager.
//
// # Sessions
//
// The link to the node is one session from Start to Stop, whatever becomes of the
// connections below it. The manager cannot close it: inbound.ErrLasting.
//
// # Concurrency
//
// The messages of one receiver are handled one at a time, in order, unless the
// option concurrency says otherwise. The link is supervised: it is attached anew
// after each failure, for as long as the transport runs.
package amqpin

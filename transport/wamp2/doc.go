// Package wamp2 is a client's session with a WAMP router (WAMP version 2) over
// WebSocket: it joins a realm, publishes and subscribes, calls and registers
// procedures.
//
// # Joining
//
// [Join] connects, offers its serializers as WebSocket sub-protocols, and
// authenticates by one of the methods that it was given: [Anonymous], [Ticket],
// [CRA] (WAMP-CRA) or [Cryptosign]. It answers no challenge of a method that it has
// not offered. A [Welcomer] checks the router in its turn. The caller's function
// dials, so that the guard of package egress holds, and makes the TLS handshake.
//
// # Delivery
//
// Publish asks for an acknowledgement and returns when the router has given it.
// Call returns when the callee has answered. A request whose answer is lost, with the session
// or because its context ended, fails with [ErrLost]; the router may have acted on
// it. A session that has ended stays so: join again.
//
// Events come in order, one at a time. When the handlers fall behind by more than
// Options.EventBuffer events, the session ends with [ErrSlow]: no event is dropped without a
// word. Invocations are handled side by side.
//
// # Concurrency
//
// A Session is safe for concurrent use. It runs three goroutines, and one for each
// invocation under way; Leave and Close wait for them.
//
// # Errors
//
// [*HandshakeError] and [*JoinError] while joining, [*RefusedError] for what the
// router or the callee refuses. Their texts have the WAMP URI of the error and no
// other word of the peer.
package wamp2

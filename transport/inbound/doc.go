// Package inbound receives messages: [Transport] is the contract of a receiver,
// and a [Manager] has what receivers bring handled by one [Handler] and keeps the
// sessions by which peers are reached on connections that they have opened.
//
// # The path of a message
//
// A transport opens a [Session] for a connection, or for a request that can be
// answered once, and hands each frame to [Session.Receive]. There the [Tenants] say
// whom it is for, the wire format reads it, what the sender asks for on the session
// is kept, and the handler is called. Its reply is queued on the session, from
// which the transport takes it with [Session.Pop] or [Session.Await].
//
// # Return routes
//
// A message says what its sender takes on the session: all messages for its key,
// those of a thread, or none (DIDComm's return_route; for plain formats the header
// Return-Route). What was asked for holds until the session closes or the same key
// says none. A key counts as far as it is proven: by the wire format (a signed or
// authenticated envelope), else by the connection (a token, a client certificate).
// A sender without either is reached by the id of the session alone.
//
// [Manager.Deliver] writes to such sessions, and [Manager.Reaches] tells beforehand
// whether one is there. A session that can answer once, such as an HTTP request, is
// held open for what Reaches announced.
//
// # Delivery
//
// The sender is told that a message is taken when the handler has returned nil. A
// handler whose reply cannot be written has it sent otherwise by Options.Unsent. A
// message counts as sent to a session when the frame has been written or, where the
// session has acknowledgements, acknowledged.
//
// # Limits
//
// Sessions are bounded in number, in all and for each profile, and in age; the
// messages being received in bytes, over all sessions; what waits to be written in
// number and bytes, for each session; handlers in number and time.
//
// # Concurrency
//
// Everything may be called from any goroutine. A transport that wants the messages
// of a session handled in order calls Receive for one at a time. No lock is held
// while a handler, a callback or a transport is called.
//
// # Errors
//
// What is told to a peer is a [Refusal], and says nothing of the inside. A handler
// that panics has failed, and so has what it needs: Tenants, the wire format, Unsent.
package inbound

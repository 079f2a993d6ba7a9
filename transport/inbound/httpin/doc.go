// Package httpin receives messages over HTTP and HTTPS: each POST is one.
//
// # Requests
//
// POST to any path is a message: the body is the payload, application/json (and
// what is built on it) is text and anything else bytes. The other headers travel
// as metadata, but for those of HTTP itself and those that hold secrets; the bearer
// token or X-Api-Key, the path and the client's certificate are for the
// [inbound.Tenants]. GET / says that somebody is there. A body in a content coding
// is refused with 415.
//
// # Answers
//
// 200 once the handler has taken the message, with its reply, or with the first
// message that is delivered to the request's session, as the body; the id of that
// is in Message-Id. The request is held open only for what [inbound.Manager.Reaches]
// has announced. Otherwise: 400 where the message cannot be read, 403 where it is
// refused, 404 where nobody knows the recipient, 413 where it is too large, 503 with
// Retry-After where there is no room now, 500 where the handler has failed. The
// body of these says nothing of the inside.
//
// A message written as an answer has the evidence written: the bytes were handed to
// the connection.
//
// # Browsers
//
// A page of another origin may not post here, unless Options.AllowedOrigins has it,
// and one whose name was resolved to this machine neither: see package ingress.
//
// # WebSockets on the same port
//
// Options.WebSocket takes the handshakes: a wsin.Transport that does not listen
// itself.
//
// # Concurrency
//
// A goroutine for each connection. Stop waits for the requests under way; those that
// are only held open end at once.
package httpin

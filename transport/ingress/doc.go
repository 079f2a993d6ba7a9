// Package ingress is the one guarded HTTP server for every receiver that takes
// connections: it bounds their number, what a peer may send before it is known to
// be worth anything, and how long it may take, and it secures them with TLS and
// client certificates. It is to what comes in what package egress is to what goes
// out.
//
// # Limits
//
// A connection has until HeaderTimeout to send the header of a request (and to
// complete the TLS handshake), until ReadTimeout to send the whole, and is closed
// after IdleTimeout without one. When there are MaxConns connections, further ones
// wait in the kernel. The handler sets the deadline of what it writes.
//
// # Hosts
//
// What listens on a loopback address without TLS is reached by the pages of every
// browser on the machine: a page can have its name resolved to it. Requests are
// taken there only if their Host header is an IP address, localhost, the name that
// the server listens at, or one of AllowedHosts.
//
// # Concurrency
//
// A [Server] is safe for concurrent use. It has one goroutine, and one for each
// connection; [Server.Shutdown] and [Server.Close] return when all have ended, but
// for connections that a handler has hijacked: those are the handler's to end.
//
// # Errors
//
// No error repeats a URL, which may hold a password.
package ingress

// Package wsin receives messages over WebSockets (RFC 6455), with
// gorilla/websocket: each text or binary message is one, and each socket one
// session, for as long as it is open.
//
// # The socket
//
// A handshake is a GET of any path. Its headers, path, bearer token and client
// certificate are those of the session; a Return-Route header holds for every
// message in a plain format. A page of another origin may not connect, unless
// Options.AllowedOrigins has it, and one whose name was resolved to this machine
// neither: see package ingress. The first sub-protocol of Options.Subprotocols that
// the peer offers is chosen, and may choose the wire format.
//
// A ping goes out every Heartbeat to a peer that is silent, and a peer that has been
// silent for Timeout is hung up on.
//
// # Messages
//
// The messages of a socket are handled one at a time, in order; one that is being
// handled does not keep pings from being answered. When too many wait, the socket is
// not read until there is room. What had come when a peer goes is still handled.
//
// # Acknowledgements
//
// A peer that sends a ping whose payload begins with "outrider:" gets the pong when
// every message before it has been handled: package wsout takes that for an
// acknowledgement. Where one of them has failed it gets a close code instead.
//
// In the other direction [AckPing], the default, sends such a ping behind what is
// written, and a message counts as acknowledged when the pong has come: the peer has
// read it. With [AckNone] it counts as written, and may be lost with the connection.
//
// # Close codes
//
// 1003 a message cannot be read, 1007 text that is not UTF-8, 1008 it is refused or
// nobody knows the recipient, 1009 it is too large, 1001 the session is ended or the
// transport stops; 1011 and 1013, where the handler has failed or there was no room,
// end a socket only with Options.CloseOnFailure, or if the peer asks for
// acknowledgements: otherwise a message that failed is counted, logged, and lost to a
// peer that cannot know.
//
// # Concurrency
//
// One goroutine reads each socket. Others run while a message is handled or written,
// and none of them for a socket that is idle.
package wsin

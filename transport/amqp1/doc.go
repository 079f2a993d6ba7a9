// Package amqp1 is AMQP 1.0 for a daemon: links that outlive the connections they
// are on, over peers that cannot be trusted. It stands on Azure/go-amqp, and keeps
// from it what would take the process down.
//
// # Words
//
// They are the specification's (OASIS AMQP 1.0): a [Container] has connections to
// peers, each a [Remote]. A [Sender] is a link to a [Target], a [Receiver] one from
// a [Source]. What is sent is a delivery, which the peer settles with an [Outcome].
//
// # Connections
//
// The dialer of package egress connects, TLS secures, and our own SASL logs in: with
// ordered mechanisms, and no password in the clear. Below go-amqp lies a guard: it
// checks every frame that comes in, keeps what go-amqp hides (who the peer is, how
// much credit there is, what was really written), and sends frames together. Links
// to equal remotes share connections, each in a session of its own, so that a peer
// which ends a session over one message ends no other link.
//
// # Sending
//
// Each sender has one goroutine that writes while there is something to write, and a
// window of deliveries in flight. A caller's context bounds its own wait and nothing
// else: go-amqp never sees it. An outcome that comes after its caller left is told
// as an event.
//
// # Failures
//
// A link that ends is attached anew, on the same connection where that still
// answers. Connections that cannot be made are tried again after a random wait that
// doubles; meanwhile sends fail at once. A peer that stands still loses the link,
// then the session, then the connection. Messages in flight when something ended are
// suspects, and go alone over a connection of their own the next time: one that ends
// that twice is refused with [ErrPeerFault].
//
// # Concurrency
//
// Everything is safe for concurrent use. An attached link takes six goroutines with
// its connection, and one that is not used none.
//
// # Errors
//
// [*Error], with one of the kinds and, where the peer gave one, its condition. No text
// repeats what a peer said or a secret of ours.
package amqp1

// Package memout delivers messages to mailboxes in the process, for tests and
// examples: no port, no network, and an outcome that is scripted.
//
// # URLs
//
// mem://host/anything: each host is a mailbox. [Options.Schemes] makes it serve
// other schemes, so that it can stand in for a real transport.
//
// # Delivery
//
// A message is in its mailbox, or in that of [Transport.Deliveries], before
// HandleMessage returns; the evidence is "acknowledged". A full mailbox makes
// attempts wait. [Options.Respond] plays the destination: it may refuse, fail,
// hang or answer with other evidence. A message it does not take is not in any
// mailbox.
//
// # Concurrency
//
// A [Transport] is used by many goroutines at once and runs none of its own.
// Stop waits for the attempts under way.
//
// # Errors
//
// [*outbound.DeliveryError] with the transport "mem". What [Options.Respond]
// returns passes through, with the facts it left out filled in.
package memout

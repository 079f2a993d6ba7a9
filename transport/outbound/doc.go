// Package outbound delivers messages to URIs: it takes a payload for an endpoint,
// keeps it in a queue, and has the transport that is registered for the
// endpoint's scheme deliver it, as often as it takes.
//
// # The path of a message
//
// [Manager.Send] checks the message, finds the transport by scheme, encodes the
// payload once with its wire format, and enqueues the record in the store. From
// then on the message is accepted, and ends in exactly one way: delivered, dead,
// expired or cancelled.
//
// Each destination of a profile has a lane. Profiles take turns, and the lanes of
// one among themselves; a lane makes at most Options.LaneConcurrency attempts at
// once, so a destination that is slow or dead costs the others little. A fixed set of workers pulls: a free worker
// takes the next lane that can run, leases a message from the store, stamps it
// where its wire format asks for that, calls the transport, and records the
// outcome before it tells of it. Lanes whose work is due later wait for one
// timer. Nothing is polled.
//
// # Outcomes
//
// A nil error delivers the message with the evidence the receipt states, unless
// the message demands more: then the attempt counts as one whose answer was lost.
// A permanent error makes it dead. Any other is tried again by its retry policy:
// the message's own, else its profile's, else the manager's; when that gives up,
// the message is dead. A message with alternates goes on to the next of its targets
// where this one fails for good, or too often, and is dead when all of them have
// failed for good, or the policy gives up. Dead messages are kept and can be replayed. A destination
// that asks for a pause gets it for its whole lane; one that says it is gone is
// paused until somebody resumes it. One that fails again and again is left alone
// for longer and longer ([Breaker]), and paused once it has done nothing else for
// Options.FailureBudget. An attempt that the end of the process or the
// hard stop cuts short does not count.
//
// # Order
//
// None, but among messages of a lane with the same OrderingKey: these are
// attempted one at a time, in the order in which they were accepted.
//
// # Delivery
//
// At least once. An attempt whose answer is lost is repeated, and a crash repeats
// the attempts that were under way; every attempt carries the message's id, so
// that the receiver can tell.
//
// # Concurrency
//
// A [Manager] is safe for concurrent use, and so is every [Transport]. Events are
// published after what they tell has been recorded, a message's queued event
// before all others of it.
//
// # Errors
//
// Sentinels for the kind ([ErrTransport], [ErrDelivery], [ErrRegistration],
// [ErrQueueFull], [ErrQuotaExceeded], [ErrStopped]), structs for the facts
// ([*DeliveryError], [*RegistrationError], [*FieldError], [*QuotaError],
// [*BatchError]). None holds a secret.
package outbound

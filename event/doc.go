// Package event is the bus on which an agent tells what happens: a topic such as
// "outbound-message::delivered", and a payload. Whoever wants to know subscribes
// to the topics that match a pattern.
//
// # Patterns
//
// A pattern is a regular expression (RE2) that must match the whole topic:
// "transport::.*" matches "transport::started", and "transport" does not.
//
// # Delivery
//
// Events are in memory: they are lost when the process ends. [Bus.Publish] never
// waits. Each subscription has a bounded buffer; an event that finds it full is
// dropped for that subscription and counted. What one goroutine publishes,
// or what is published one after the other, arrives in that order. A
// subscription hears of everything published after Subscribe or Handle returned.
//
// # Concurrency
//
// A [Bus] and a [Subscription] are safe for concurrent use. Handle starts one
// goroutine for the subscription, which ends after Close of the subscription or
// the bus, when the buffered events are handled; Close of the bus waits for it.
// A handler that panics harms nobody: the panic is counted and reported, and the
// handler gets the next event.
//
// # Errors
//
// [ErrPattern], [ErrBuffer], [ErrClosed], and [*UnhandledError] of [Bus.Close].
package event

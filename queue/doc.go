// Package queue says what a delivery queue must keep and promise: the [Store]
// interface, the [Record] it keeps, and the states a record goes through.
//
// A store keeps state and answers budgets: "up to n messages of that lane".
// Policy (fairness, rates, back-off, breakers, what is retried) lives above it,
// in the outbound manager, once for every store.
//
// # Delivery
//
// At least once. A message is kept from the moment [Store.Enqueue] returns nil,
// and is leased to one worker at a time. A lease that is not settled in time is
// void, and the message is leased again with a new token.
//
// # Concurrency
//
// Every method of a [Store] may be called at any time from any goroutine.
//
// # Errors
//
// The sentinels of this package, wrapped with what the caller cannot know.
package queue

// Package receiver records what is posted to it, and misbehaves on purpose: it
// is the destination behind "outrider listen" and "outrider demo", and in tests.
//
// # URLs
//
// http://host:port; port 0 takes any that is free. Every path and method is
// recorded.
//
// # Delivery
//
// A message is handed to [Options.Sink] before it is answered, so that what was
// acknowledged was recorded. A message that is longer than allowed is answered
// 413, one that breaks off is not answered; neither is recorded.
//
// # Concurrency
//
// A [Receiver] serves many requests at once. A [Server] runs one goroutine of
// its own and those of net/http; Close waits for them.
//
// # Errors
//
// What a sender does wrong is answered and not returned. A record shows all
// headers, secrets included: it is for people who look at their own messages.
package receiver

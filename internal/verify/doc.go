// Package verify holds a daemon to its promise, from the outside: a message whose
// send was answered is never lost, arrives twice only where a crash met it in
// flight, and keeps its place among those with the same ordering key.
//
// A [History] is told what was sent, what was accepted, what arrived and when the
// daemon crashed, and judges it. A [Load] sends, and receives. A [Daemon] is a
// child process that runs "outrider serve". [Run] has all three work together:
// it kills the daemon again and again, and has the history judge.
//
// # Delivery
//
// What arrives is recorded before it is answered. Each life of the daemon tells
// its number in the User-Agent of all it delivers, so that what a dead one had
// already sent is not taken for the next one's.
//
// # Concurrency
//
// All types may be used by several goroutines at once. Whatever is started is
// waited for by the call that ends it.
//
// # Errors
//
// An error says that the trial could not be held. What the trial found is in the
// [Report], and [Report.Err] says whether the promise was kept.
package verify

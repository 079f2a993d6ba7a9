// Package archive writes and reads the file in which messages are moved from one
// store to another: what "outrider store export" makes.
//
// # The file
//
// Lines of JSON. The first says what it is, and of which version. Then come the
// states of lanes, the messages in the order of their ids, and a last line that
// counts them: a file without it was cut short. Each message has all that its store
// keeps of it: what it is, in the clear, what became of it, and its attempts.
// Payloads and answers are in base64, and so is a text that is not UTF-8.
//
// Nothing in it depends on when or where it was written: what is read into a store
// and written again is the same file.
//
// # Secrets
//
// The file has all that a store may have encrypted: payloads, addresses with their
// passwords, answers. Whoever can read it can read them.
//
// # Concurrency
//
// A call belongs to one goroutine, and starts none.
//
// # Errors
//
// [ErrFormat] for a file that is not whole, with the number of the line.
package archive

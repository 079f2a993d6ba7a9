// Package cli is the command line of the outrider program. [Main] runs one
// command and returns the exit code; it neither exits nor handles signals, so
// that tests run commands as a user does.
//
// # Output
//
// What was asked for goes to stdout: a table or a few lines for people, and with
// --json one JSON object (one on each line for commands that go on until they
// are stopped). Everything else goes to stderr. Colour is for terminals, and
// NO_COLOR turns it off.
//
// # Errors
//
// An error is one line on stderr that says what to do next. The exit codes are
// [ExitOK] and those after it.
//
// # Concurrency
//
// Main may be called many times at once, with different readers and writers.
// When it returns, all that it started has ended.
package cli

// Package httprules holds what every driver needs that begins with an HTTP
// request, httpout's POST as well as wsout's handshake: what a status means for a
// message, what Retry-After says, and what may be a header.
//
// # Concurrency
//
// It has functions only, which keep no state.
package httprules

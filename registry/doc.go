// Package registry maps URI schemes to values: "https" to the transport that
// sends it.
//
// Schemes are checked by RFC 3986 section 3.1 and compared in lower case. A
// scheme has one owner; taking one that is taken is an error that names the
// owner. An unknown scheme is an error that lists the known ones: there is never
// a fallback.
//
// # Concurrency
//
// A [Registry] is safe for concurrent use. Lookup reads an immutable map and
// never waits; changes copy the map.
//
// # Errors
//
// [ErrInvalidScheme], [ErrDuplicateScheme], [ErrUnknownScheme] and [ErrNil], to
// be tested with errors.Is. Text that is not a scheme is not repeated in an
// error: it may be a whole URI with a password.
package registry

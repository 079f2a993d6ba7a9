// Package sealqueue encrypts what a queue keeps: a [Store] is put around any
// queue.Store, and what that one is given to keep holds no payload, metadata,
// endpoint or answer in the clear.
//
// # What is sealed
//
// Payload, Metadata, URI, the URIs of Targets, and Attempt.Response. What a store
// schedules, lists and counts by stays readable: ids, lanes, the redacted
// Endpoint, format, content type, idempotency and ordering keys, times, sizes,
// statuses, and the texts of errors. docs/encryption.md says what that means.
//
// A message is sealed with a data key of its profile, which package keyring
// keeps, by XChaCha20-Poly1305 with random nonces. It is bound to its profile,
// its id and what the receiver is shown of it, and each address to its lane: in
// another's place it does not open.
//
// # How it is kept
//
// Payload is replaced by a text of the same length: payload and metadata,
// encrypted. All that this takes more (nonces, tags, the id of the key) is in the
// place of the URI, which counts against no byte limit. So queue.Message.Size is
// what it was, and every limit means what it meant. A message takes some 130 bytes
// more in the store and 3 for each entry of its metadata, and its URI becomes 4/3
// as long; a response takes 56 bytes more.
//
// The text in the place of a URI begins with "!!sealed:". No URI begins so, and no
// caller can have a message kept that does: all that goes through a Store is
// sealed, whatever it looks like. A message with a URI in that place was kept
// before the store was sealed, and is given out as it is, unless
// [Options].SealedOnly says otherwise.
//
// # Delivery
//
// That of the store inside. A message that cannot be opened, because its key was
// shredded or because it was changed, is never given out. [Store.Lease] ends it
// as dead, with an error in its log, goes on with the others, and tells of it:
// queue.Budget.Ended, and a later [Store.Expire] returns it. Where it is not
// known whether it can be opened, since the keyring could not be read, it is put
// off for half a minute.
//
// # Concurrency
//
// As the store inside. A Store starts no goroutines and holds no lock while it
// calls another.
//
// # Errors
//
// Those of the store inside and of package keyring; [ErrDamaged] and
// [ErrNotSealed] in a message's log and from Get with payload.
package sealqueue

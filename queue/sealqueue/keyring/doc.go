// Package keyring keeps the keys with which a sealed queue is encrypted: for each
// profile random data keys, wrapped by one master key, in a file of the store's
// directory. Package sealqueue uses them.
//
// The master key is 32 bytes that the operator keeps elsewhere: [NewMaster]
// makes one, [ReadMaster] and [ParseMaster] read one. It encrypts nothing but
// data keys, so that a new one ([Keyring.Rewrap]) is a new small file, and no
// message is touched. A profile gets its first data key with its first message;
// [Keyring.Rotate] gives it another for the messages to come, and the old ones
// stay for those that wait. [Keyring.Shred] forgets a profile's keys: what was
// sealed with them cannot be opened again by anybody.
//
// # The file
//
// [FileName] is JSON with a version, the id of the master key, and per profile
// its keys, the one in use last. Each is wrapped with XChaCha20-Poly1305, bound
// to its profile and its own id. The id of a master key is derived from it and
// tells nothing about it: it is there so that a wrong key is told by name.
//
// # Delivery
//
// A change is on disk before it is used: the whole file is written beside the old
// one, synced, and renamed over it. A crash leaves the old file or the new one.
//
// # Concurrency
//
// A [Keyring] may be used from any goroutine, and by several processes: changes
// take a lock beside the file and begin with what is in it, where the system has
// such locks (Unix). A key that another process made is found when it is needed.
//
// # Errors
//
// [ErrWrongKey], [ErrKeyMissing], [ErrDamaged] and [ErrExposed], wrapped with the
// file and the ids. No error holds key material.
package keyring

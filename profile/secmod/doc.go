// Package secmod keeps private keys: the security modules of the WAMP interfaces
// (ISecurityModule, IKey, ICryptosignKey, IEthereumKey).
//
// A [Module] makes keys, finds them, and signs and agrees with them. The private
// half of a key never leaves it: what a module gives out is a [Key] that asks the
// module to act. There are
//
//   - [Memory]: keys are gone with the process, and signers of other programs or
//     devices may be among them ([FromSigner]);
//   - [File]: keys in one file, encrypted with a passphrase.
//
// A module is opened before it is used and closed at the end. While it is locked,
// its keys are known and verify, but neither sign nor agree. Wire formats use a
// module through its profile, of which it is the profile.Keys.
//
// # Keys
//
// A key has a number in its module, which is never used again, and an id, by which
// it is found: what its maker called it, such as a DID URL, or otherwise its public
// half as multibase text (z6Mk...). It is also found by that text behind "did:key:",
// by the base58 of an Ed25519 key, by the multibase text of the X25519 key that an
// Ed25519 key agrees as, and by the address of an Ethereum key.
//
// # The file
//
// JSON: the public halves in the clear, and the private ones and the counters
// sealed with XChaCha20-Poly1305, bound to the rest. The key is made of the
// passphrase with argon2id. A change is a new file in the place of the old one,
// synced before the call returns. Several processes may change the file, where the
// system has file locks: each begins with what is in it, and what one has added the
// others find.
//
// # Concurrency
//
// Modules and keys may be used by many goroutines at once.
//
// # Errors
//
// [ErrClosed], [ErrLocked], [ErrPassphrase], [ErrDamaged], [ErrSignature],
// profile.ErrNoKey and profile.ErrKeyUse. No error, and no text of a module or key,
// holds anything of a private half.
package secmod

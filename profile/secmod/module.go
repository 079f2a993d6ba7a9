package secmod

import (
	"context"
	"errors"
	"iter"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// Kinds of failure, for errors.Is.
var (
	ErrClosed    = errors.New("security module is closed")
	ErrLocked    = errors.New("security module is locked")
	ErrNoLock    = errors.New("security module cannot be locked")
	ErrSignature = errors.New("signature does not verify")
	// ErrDuplicate: the id or the public half is another key's already.
	ErrDuplicate = errors.New("key is there already")
	// ErrSecret: a text is no private key.
	ErrSecret = errors.New("not a private key")
)

// MaxRandom is how many random bytes a module gives at once.
const MaxRandom = 1 << 20

// Module keeps keys. It is the profile.Keys of a profile.
type Module interface {
	profile.Keys
	// Open makes the module usable, locked if it can be. Opening twice is nothing.
	Open(ctx context.Context) error
	// Close locks the module and ends its use. Closing twice is nothing.
	Close(ctx context.Context) error
	IsOpen() bool
	// CanLock reports whether Lock and Unlock do anything.
	CanLock() bool
	IsLocked() bool
	// Lock forgets what opens the private halves.
	Lock(ctx context.Context) error
	// Unlock makes keys usable. The error wraps [ErrPassphrase].
	Unlock(ctx context.Context, passphrase transport.Secret) error

	// Len returns how many keys there are.
	Len() int
	// All visits the keys by their numbers.
	All() iter.Seq2[int, Key]
	// Key returns the key with a number, or an error that wraps profile.ErrNoKey.
	Key(no int) (Key, error)
	// CreateKey makes a key and returns its number. Types are those of package
	// profile; "cryptosign" and "ethereum" mean the first two.
	CreateKey(ctx context.Context, of profile.KeyType) (int, error)
	// AddKey takes a key that no module has, of [NewKey], [ParseKey] or
	// [FromSigner], and returns its number.
	AddKey(ctx context.Context, key Key) (int, error)
	// SetKey is AddKey under a number, in the place of the key that has it.
	SetKey(ctx context.Context, no int, key Key) error
	// DeleteKey forgets a key for good.
	DeleteKey(ctx context.Context, no int) error

	// Random returns random bytes, at most [MaxRandom].
	Random(ctx context.Context, n int) ([]byte, error)
	// Counter returns a counter's value, 0 if it was never incremented.
	Counter(ctx context.Context, no int) (uint64, error)
	// IncrementCounter adds one and returns the new value, once it is kept.
	IncrementCounter(ctx context.Context, no int) (uint64, error)
}

// Key is a key of a module, or one of its own. Its public half verifies even
// where the module is locked.
type Key interface {
	profile.Key
	// No returns the number in the module; a key of its own has none.
	No() (no int, ok bool)
	// Module returns the module, nil for a key of its own.
	Module() Module
	// CanSign reports whether there is a private half, and its type signs.
	CanSign() bool
	// Verify returns nil for a signature of this key over data, else an error that
	// wraps [ErrSignature].
	Verify(ctx context.Context, data, signature []byte) error
	// Recover returns the public half that signed data. Only Ethereum keys can
	// recover another's; for the others it is the key's own, if that signed.
	Recover(ctx context.Context, data, signature []byte) ([]byte, error)
}

// CryptosignKey is an Ed25519 key: it answers challenges of WAMP-cryptosign.
type CryptosignKey interface {
	Key
	// SignChallenge returns the text that WAMP's AUTHENTICATE carries: the hex of
	// the signature and of what is signed. Binding is nil where the session is not
	// bound to its channel.
	SignChallenge(ctx context.Context, challenge Challenge, binding *Binding) (string, error)
	// VerifyChallenge checks such a text; its error wraps [ErrSignature].
	VerifyChallenge(ctx context.Context, challenge Challenge, signature string, binding *Binding) error
}

// EthereumKey is a secp256k1 key: it signs typed data of EIP-712.
type EthereumKey interface {
	Key
	Address() Address
	// SignTypedData returns r, s and v, 65 bytes.
	SignTypedData(ctx context.Context, data *TypedData) ([]byte, error)
	// VerifyTypedData returns nil if signer signed data, else an error that wraps
	// [ErrSignature].
	VerifyTypedData(ctx context.Context, data *TypedData, signature []byte, signer Address) error
}

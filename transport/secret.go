package transport

import (
	"bytes"
	"cmp"
	"crypto/subtle"
	"fmt"
	"io"
	"slices"
)

// redacted stands wherever a secret would have been printed.
const redacted = "***"

// Secret is text that must not appear in logs, errors, events or listings: an
// API key, a password, a bearer token, a URI that contains one of them. However
// it is formatted or marshalled it reads "***"; only [Secret.Reveal] gives the
// text. The zero value is the empty secret.
//
// The text sits behind a pointer, so that even a struct dump that ignores
// methods shows an address and not the text.
type Secret struct{ text *string }

// NewSecret wraps text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	kept := text // a pointer to text itself would cost the empty secret memory, too
	return Secret{text: &kept}
}

// Reveal returns the text. Each call site is a place where a secret leaves.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Mask returns text with "***" in the place of each secret, the longest first: one may
// be a part of another. Empty ones are passed over, and text stays as it is.
func Mask(text []byte, secrets []string) []byte {
	longestFirst := func(a, b string) int { return cmp.Compare(len(b), len(a)) }
	for _, secret := range slices.SortedFunc(slices.Values(secrets), longestFirst) {
		if secret != "" {
			text = bytes.ReplaceAll(text, []byte(secret), []byte(redacted))
		}
	}
	return text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal reports whether both secrets hold the same text. The time it takes does
// not tell where they differ.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String returns "***", or "" for the empty secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format writes what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns what String returns.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as it is, so that configuration can hold one.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

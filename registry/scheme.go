package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxSchemeLength is the longest scheme accepted, in bytes. RFC 3986 sets no
// limit; the longest one that IANA lists has 36.
const MaxSchemeLength = 64

// normalise returns the schemes in lower case, or every fault they have.
func normalise(schemes []string) ([]string, error) {
	if len(schemes) == 0 {
		return nil, fmt.Errorf("%w: there is none, give at least one", ErrInvalidScheme)
	}
	clean := make([]string, 0, len(schemes))
	var faults []error
	for i, scheme := range schemes {
		lower := strings.ToLower(scheme)
		switch {
		case !isScheme(scheme):
			faults = append(faults, fmt.Errorf(
				"%w: number %d of %d: want a letter, then letters, digits, '+', '-' or '.', at most %d in all",
				ErrInvalidScheme, i+1, len(schemes), MaxSchemeLength))
		case slices.Contains(clean, lower):
			faults = append(faults, fmt.Errorf("%w %q: it is named twice", ErrDuplicateScheme, lower))
		default:
			clean = append(clean, lower)
		}
	}
	return clean, errors.Join(faults...)
}

// isScheme checks RFC 3986 section 3.1: ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ).
func isScheme(text string) bool {
	if text == "" || len(text) > MaxSchemeLength {
		return false
	}
	for i := range len(text) {
		c := text[i] | 0x20 // lower case, for a letter
		letter := c >= 'a' && c <= 'z'
		other := text[i] >= '0' && text[i] <= '9' || text[i] == '+' || text[i] == '-' || text[i] == '.'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return true
}

package wamp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxURI is the longest URI that is read, in bytes.
const MaxURI = 4096

// IsURI reports a loose URI of the specification: components between dots, none
// of them empty, without "#" and white space.
func IsURI(uri string) bool {
	return isLoose(uri) && uri[0] != '.' && uri[len(uri)-1] != '.' && !strings.Contains(uri, "..")
}

// IsPattern reports a loose URI whose components may be empty, as subscriptions
// and registrations may have for patterns.
func IsPattern(uri string) bool { return uri == "" || isLoose(uri) }

func isLoose(uri string) bool {
	return uri != "" && len(uri) <= MaxURI && utf8.ValidString(uri) &&
		!strings.ContainsFunc(uri, func(r rune) bool { return r == '#' || unicode.IsSpace(r) })
}

package wireformat

import "strings"

// Media types the built-in formats emit.
const (
	typeJSON   = "application/json"
	typeText   = "text/plain; charset=utf-8"
	typeBinary = "application/octet-stream"
)

// maxMediaType is the longest media type without its parameters: two names of
// 127 characters (RFC 6838 section 4.2).
const maxMediaType = 255

// bareMediaType strips parameters and blanks, keeping the case.
func bareMediaType(contentType string) string {
	bare, _, _ := strings.Cut(contentType, ";")
	return strings.Trim(bare, " \t")
}

// canonicalMediaType strips parameters, folds case and adds the "application/"
// that RFC 7515 section 4.1.9 allows to leave out. It writes into buffer, so
// that a lookup needs no memory; empty is no media type.
func canonicalMediaType(buffer *[maxMediaType]byte, contentType string) []byte {
	const omitted = "application/"
	bare := bareMediaType(contentType)
	canonical := buffer[:0]
	if !strings.Contains(bare, "/") {
		canonical = append(canonical, omitted...)
	}
	if bare == "" || len(canonical)+len(bare) > maxMediaType {
		return nil
	}
	for _, c := range []byte(bare) {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		canonical = append(canonical, c)
	}
	return canonical
}

// isMediaType reports type/subtype, each a name of RFC 6838 in lower case.
func isMediaType(text string) bool {
	kind, subtype, _ := strings.Cut(text, "/")
	return isMediaName(kind) && isMediaName(subtype)
}

func isMediaName(text string) bool {
	if text == "" || len(text) > 127 || !isLowerAlnum(text[0]) {
		return false
	}
	for _, c := range []byte(text) {
		if !isLowerAlnum(c) && !strings.ContainsRune("!#$&-^_.+", rune(c)) {
			return false
		}
	}
	return true
}

func isLowerAlnum(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// isGeneric reports a content type that does not say what the content is for,
// so that a [Sniffer] may know better.
func isGeneric(canonical []byte) bool {
	switch string(canonical) {
	case typeJSON, typeBinary, "text/plain":
		return true
	}
	return false
}

// isJSONType reports application/json and what is built on it, by its suffix.
func isJSONType(contentType string) bool {
	var buffer [maxMediaType]byte
	canonical := string(canonicalMediaType(&buffer, contentType))
	return canonical == typeJSON || strings.HasSuffix(canonical, "+json")
}

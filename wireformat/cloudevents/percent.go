package cloudevents

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// encodeHeader percent-encodes what the HTTP binding does not allow in a header's
// value: blanks, double quotes, per cent signs, and all but printable ASCII (HTTP
// binding, section 3.1.3.2).
func encodeHeader(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' || c == '"' || c == '%' {
			out.WriteByte('%')
			out.WriteByte(upperHex[c>>4])
			out.WriteByte(upperHex[c&15])
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}

// decodeHeader undoes encodeHeader, and takes what others write: quotes around the
// value, and a per cent sign that stands for itself. It decodes once, and refuses
// what is not UTF-8 then.
func decodeHeader(value string) (string, error) {
	value = unquoteHeader(value)
	if strings.Contains(value, "%") {
		var out strings.Builder
		for i := 0; i < len(value); i++ {
			if value[i] == '%' && i+2 < len(value) && isHex(value[i+1]) && isHex(value[i+2]) {
				out.WriteByte(unhex(value[i+1])<<4 | unhex(value[i+2]))
				i += 2
				continue
			}
			out.WriteByte(value[i])
		}
		value = out.String()
	}
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("%w: a header is not UTF-8", ErrEvent)
	}
	return value, nil
}

// unquoteHeader takes the quotes off a quoted-string (RFC 9110 section 5.6.4).
func unquoteHeader(value string) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value
	}
	var out strings.Builder
	inner := value[1 : len(value)-1]
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' && i+1 < len(inner) {
			i++
		}
		out.WriteByte(inner[i])
	}
	return out.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

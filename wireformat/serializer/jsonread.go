package serializer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// readJSON reads one value. encoding/json checks the syntax first, so that what
// follows need not.
func readJSON(b []byte, left budget) (any, error) {
	switch {
	case !utf8.Valid(b):
		return nil, errText
	case !json.Valid(b):
		return nil, errJSON
	}
	r := jsonReader{b: b, left: left, maxDepth: left.depth, maxValues: left.values}
	return r.value()
}

var errJSON = errors.New("it is not valid JSON")

// jsonReader reads JSON that is valid.
type jsonReader struct {
	b                   []byte
	at                  int
	left                budget
	maxDepth, maxValues int
}

// next skips blanks and returns the byte after them.
func (r *jsonReader) next() byte {
	for r.b[r.at] == ' ' || r.b[r.at] == '\n' || r.b[r.at] == '\t' || r.b[r.at] == '\r' {
		r.at++
	}
	return r.b[r.at]
}

func (r *jsonReader) value() (any, error) {
	if r.left.values--; r.left.values < 0 {
		return nil, errMany(r.maxValues)
	}
	switch r.next() {
	case 'n':
		r.at += len("null")
		return nil, nil
	case 't':
		r.at += len("true")
		return true, nil
	case 'f':
		r.at += len("false")
		return false, nil
	case '"':
		return r.textOrBytes()
	case '[':
		return r.array()
	case '{':
		return r.object()
	}
	return r.number()
}

// enter goes into a container, and reports whether something is in it.
func (r *jsonReader) enter(end byte) (bool, error) {
	if r.left.depth--; r.left.depth < 0 {
		return false, errDeep(r.maxDepth)
	}
	r.at++
	return r.next() != end, nil
}

// more reports whether another value follows in the container.
func (r *jsonReader) more(end byte) bool {
	c := r.next()
	r.at++
	if c == end {
		r.left.depth++
	}
	return c != end
}

func (r *jsonReader) array() (any, error) {
	values := []any{}
	some, err := r.enter(']')
	if err != nil || !some {
		r.leave()
		return values, err
	}
	for more := true; more; more = r.more(']') {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (r *jsonReader) object() (any, error) {
	values := map[string]any{}
	some, err := r.enter('}')
	if err != nil || !some {
		r.leave()
		return values, err
	}
	for more := true; more; more = r.more('}') {
		r.next()
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if _, twice := values[name]; twice {
			return nil, errTwice
		}
		r.next()
		r.at++ // the colon
		r.left.values--
		if values[name], err = r.value(); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// leave goes out of an empty container.
func (r *jsonReader) leave() {
	r.at++
	r.left.depth++
}

func (r *jsonReader) textOrBytes() (any, error) {
	text, err := r.text()
	if err != nil || text == "" || text[0] != 0 {
		return text, err
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text[1:])
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("a string begins with U+0000 and is not base64")
	}
	return b, nil
}

func (r *jsonReader) text() (string, error) {
	r.at++
	rest := r.b[r.at:]
	quote := bytes.IndexByte(rest, '"')
	if bytes.IndexByte(rest[:quote], '\\') < 0 {
		r.at += quote + 1
		return string(rest[:quote]), nil
	}
	return r.escaped()
}

// escaped reads a string with escapes, up to and with its closing quote.
func (r *jsonReader) escaped() (string, error) {
	var text []byte
	for {
		c := r.b[r.at]
		r.at++
		switch c {
		case '"':
			return string(text), nil
		case '\\':
			c = r.b[r.at]
			r.at++
			if c == 'u' {
				char, err := r.unicode()
				if err != nil {
					return "", err
				}
				text = utf8.AppendRune(text, char)
				continue
			}
			if i := strings.IndexByte("bfnrt", c); i >= 0 {
				c = "\b\f\n\r\t"[i]
			}
		}
		text = append(text, c)
	}
}

// unicode reads what follows \u, and the other half of a surrogate pair.
func (r *jsonReader) unicode() (rune, error) {
	char := r.hex()
	if !utf16.IsSurrogate(char) {
		return char, nil
	}
	if r.b[r.at] == '\\' && r.b[r.at+1] == 'u' {
		r.at += 2
		if char = utf16.DecodeRune(char, r.hex()); char != utf8.RuneError {
			return char, nil
		}
	}
	return 0, errors.New("a string has half of a surrogate pair")
}

func (r *jsonReader) hex() rune {
	code, _ := strconv.ParseUint(string(r.b[r.at:r.at+4]), 16, 16) // four digits: the syntax is valid
	r.at += 4
	return rune(code)
}

// number reads an integer of any size, or a float where it is written as one.
func (r *jsonReader) number() (any, error) {
	start, float := r.at, false
	for ; r.at < len(r.b); r.at++ {
		switch c := r.b[r.at]; {
		case c == '.' || c == 'e' || c == 'E':
			float = true
		case c != '-' && c != '+' && (c < '0' || c > '9'):
			return jsonNumber(string(r.b[start:r.at]), float)
		}
	}
	return jsonNumber(string(r.b[start:]), float)
}

func jsonNumber(text string, float bool) (any, error) {
	if float {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, errors.New("a number is greater than a float can be")
		}
		return v, nil
	}
	return integer(text)
}

// integer reads decimal digits.
func integer(text string) (any, error) {
	if v, err := strconv.ParseInt(text, 10, 64); err == nil {
		return v, nil
	}
	const maxDigits = 2468 // of 8192 bits, and a sign
	if len(text) > maxDigits {
		return nil, errLongInteger
	}
	v, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, errors.New("a number is not one")
	}
	result, _, err := bigInt(v)
	return result, err
}

package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/outrider-go/outrider/transport/outbound"
)

// maxNameShown is how much of an unknown name an error repeats, in bytes.
const maxNameShown = 64

// decodeObject reads one JSON object. field returns, for the name of a member,
// where its value goes, and nil for a name that is not known. Names are taken to
// the letter; one that comes twice is an error, and so is text after the object,
// and text that JSON could only keep with characters replaced. Errors that are
// about one member are [*outbound.FieldError]; none repeats a value.
func decodeObject(body []byte, field func(name string) any) error {
	if !utf8.Valid(body) || hasLoneSurrogate(body) {
		return problem(kindInvalid, "the JSON is not valid UTF-8: send bytes as payload_base64")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if start, err := decoder.Token(); err != nil {
		return syntaxProblem(err)
	} else if start != json.Delim('{') {
		return problem(kindInvalid, "want a JSON object")
	}
	if err := decodeMembers(decoder, field); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != nil { // the closing brace
		return syntaxProblem(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return problem(kindInvalid, "there is something after the JSON object: send several messages as application/x-ndjson, one on each line")
	}
	return nil
}

func decodeMembers(decoder *json.Decoder, field func(name string) any) error {
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return syntaxProblem(err)
		}
		name, _ := token.(string) // in an object every other token is a name
		target := field(name)
		switch {
		case target == nil:
			return fieldError(name[:min(len(name), maxNameShown)], "is not a field of this request")
		case seen[name]:
			return fieldError(name, "is given twice")
		}
		seen[name] = true
		if err := decoder.Decode(target); err != nil {
			return memberError(name, target, err)
		}
	}
	return nil
}

// memberError is the error for a value that does not fit, without the value.
func memberError(name string, target any, err error) error {
	if _, ok := errors.AsType[*json.SyntaxError](err); ok || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return syntaxProblem(err)
	}
	switch target.(type) {
	case *[]byte:
		return fieldError(name, "want text in base64")
	case *bool:
		return fieldError(name, "want true or false")
	case *[]string:
		return fieldError(name, "want a list of text")
	case *time.Time:
		return fieldError(name, "want a time such as 2026-01-31T15:04:05Z")
	case *textMap:
		if inner, ok := errors.AsType[*outbound.FieldError](err); ok {
			return fieldError(name, "%s %w", strconv.Quote(inner.Field), inner.Err)
		}
		return fieldError(name, "want an object of names with text")
	}
	return fieldError(name, "want text; JSON goes in as a string")
}

func syntaxProblem(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return problem(kindInvalid, "this is not JSON: %v at byte %d", syntax, syntax.Offset)
	}
	return problem(kindInvalid, "this is not JSON: it ends too early")
}

// textMap reads an object whose values are all text.
type textMap map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (m *textMap) UnmarshalJSON(body []byte) error {
	if string(body) == "null" {
		return nil
	}
	targets := map[string]**string{}
	err := decodeObject(body, func(name string) any {
		if targets[name] == nil {
			targets[name] = new(*string) // nil after null
		}
		return targets[name]
	})
	if err != nil {
		return err
	}
	*m = textMap{}
	for name, target := range targets {
		if *target == nil {
			return fieldError(name, "want text")
		}
		(*m)[name] = **target
	}
	return nil
}

// hasLoneSurrogate reports an escape of half a UTF-16 pair, for which
// encoding/json would put another character in its place.
func hasLoneSurrogate(body []byte) bool {
	for {
		at := bytes.IndexByte(body, '\\')
		if at < 0 || at+1 >= len(body) {
			return false
		}
		unit, ok := unicodeEscape(body[at:])
		switch {
		case !ok:
			body = body[at+2:]
		case unit < 0xd800 || unit > 0xdfff:
			body = body[at+6:]
		default:
			low, ok := unicodeEscape(body[at+6:])
			if unit > 0xdbff || !ok || low < 0xdc00 || low > 0xdfff {
				return true
			}
			body = body[at+12:]
		}
	}
}

// unicodeEscape reads the \uXXXX that text begins with.
func unicodeEscape(text []byte) (uint16, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return uint16(unit), err == nil
}

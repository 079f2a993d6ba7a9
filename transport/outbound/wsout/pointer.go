package wsout

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// pointer is a JSON pointer (RFC 6901): the names on the way to a value.
type pointer []string

// errPointer is what is wrong with a text that is no pointer.
var errPointer = errors.New("is not a JSON pointer (RFC 6901): write it as /ack/id")

// parsePointer reads a pointer. Empty is the whole document.
func parsePointer(text string) (pointer, error) {
	if text == "" {
		return nil, nil
	}
	if text[0] != '/' {
		return nil, errPointer
	}
	p := pointer(strings.Split(text[1:], "/"))
	for i, name := range p {
		for at := strings.IndexByte(name, '~'); at >= 0; {
			if at+1 == len(name) || name[at+1] != '0' && name[at+1] != '1' {
				return nil, errPointer
			}
			next := strings.IndexByte(name[at+2:], '~')
			if next < 0 {
				break
			}
			at += 2 + next
		}
		p[i] = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
	}
	return p, nil
}

// find returns the text of the string that the pointer leads to.
func (p pointer) find(document []byte) (string, bool) {
	at := json.RawMessage(document)
	for _, name := range p {
		next, ok := step(at, name)
		if !ok {
			return "", false
		}
		at = next
	}
	var text string
	if !isKind(at, '"') || json.Unmarshal(at, &text) != nil {
		return "", false
	}
	return text, true
}

// step goes from a value to one of its members.
func step(value json.RawMessage, name string) (json.RawMessage, bool) {
	if isKind(value, '[') {
		var elements []json.RawMessage
		at, err := strconv.ParseUint(name, 10, 31)
		if err != nil || strconv.FormatUint(at, 10) != name || json.Unmarshal(value, &elements) != nil || at >= uint64(len(elements)) {
			return nil, false
		}
		return elements[at], true
	}
	var members map[string]json.RawMessage
	if !isKind(value, '{') || json.Unmarshal(value, &members) != nil {
		return nil, false
	}
	member, ok := members[name]
	return member, ok
}

// isKind reports a value that begins with c.
func isKind(value json.RawMessage, c byte) bool {
	for _, b := range value {
		switch b {
		case ' ', '\t', '\r', '\n':
		default:
			return b == c
		}
	}
	return false
}

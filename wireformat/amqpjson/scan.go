package amqpjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// checkSyntax returns an error unless text is one JSON value in UTF-8. What comes
// after it in this file reads only text that passed.
func checkSyntax(text []byte) error {
	switch {
	case !utf8.Valid(text):
		return errors.New("it is not UTF-8")
	case !json.Valid(text):
		var syntax *json.SyntaxError
		if err := json.Unmarshal(text, new(any)); errors.As(err, &syntax) {
			return fmt.Errorf("it is not valid JSON at byte %d of %d", syntax.Offset, len(text))
		}
		return errors.New("it is not valid JSON")
	}
	return nil
}

// eachMember calls visit with the name and the value of each member of an object,
// each without blanks around it, until one call fails.
func eachMember(object []byte, visit func(name string, value []byte) error) error {
	for i := next(object, 1); object[i] != '}'; {
		end := valueEnd(object, i)
		name, err := unquote(object[i:end])
		if err != nil {
			return invalid("%w", err)
		}
		i = next(object, next(object, end)+1) // behind the colon
		end = valueEnd(object, i)
		if err := visit(name, object[i:end]); err != nil {
			return err
		}
		if i = next(object, end); object[i] == ',' {
			i = next(object, i+1)
		}
	}
	return nil
}

// eachElement does so with the elements of an array, which it counts.
func eachElement(array []byte, visit func(i int, element []byte) error) error {
	n := 0
	for i := next(array, 1); array[i] != ']'; n++ {
		end := valueEnd(array, i)
		if err := visit(n, array[i:end]); err != nil {
			return err
		}
		if i = next(array, end); array[i] == ',' {
			i = next(array, i+1)
		}
	}
	return nil
}

// next returns where the next byte is that is no blank. Within an object or an
// array there is one.
func next(text []byte, i int) int {
	for text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n' {
		i++
	}
	return i
}

// valueEnd returns where the value ends that begins at i.
func valueEnd(text []byte, i int) int {
	if text[i] == '"' {
		return stringEnd(text, i)
	}
	if text[i] != '{' && text[i] != '[' {
		if n := bytes.IndexAny(text[i:], ",]} \t\r\n"); n >= 0 {
			return i + n
		}
		return len(text)
	}
	for depth := 0; ; i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// stringEnd returns where the string ends that begins at start.
func stringEnd(text []byte, start int) int {
	for i := start + 1; ; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// unquote returns what a string says. Half of a surrogate pair is no character;
// encoding/json would put another in its place.
func unquote(quoted []byte) (string, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	if hasHalfSurrogate(quoted) {
		return "", errors.New("a string has half of a surrogate pair")
	}
	var text string
	err := json.Unmarshal(quoted, &text)
	return text, err
}

func hasHalfSurrogate(quoted []byte) bool {
	for i := 0; i < len(quoted); i++ {
		if quoted[i] != '\\' {
			continue
		}
		first := escaped(quoted[i:])
		if !utf16.IsSurrogate(first) {
			i++
			continue
		}
		if utf16.DecodeRune(first, escaped(quoted[i+6:])) == utf8.RuneError {
			return true
		}
		i += 11
	}
	return false
}

// escaped returns the number of a \u escape that text begins with, 0 for other
// text.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(n)
}

package amqpjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/outrider-go/outrider/internal/strictjson"
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

// scan is a place in a document.
type scan struct {
	text []byte
	at   int
}

// peek returns the next byte that is no blank. Where it is called there is one.
func (s *scan) peek() byte {
	for strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
	return s.text[s.at]
}

// token returns the value at the place as it is written, and goes behind it.
func (s *scan) token() []byte {
	s.peek()
	start := s.at
	s.at = valueEnd(s.text, start)
	return s.text[start:s.at]
}

// each calls visit at each member of the object, or at each element of the array,
// at the place, and goes behind it. visit goes behind what it is called at.
func (s *scan) each(visit func(i int) error) error {
	end := s.peek() + 2 // the brackets and the braces of ASCII are two apart
	s.at++
	for i := 0; s.peek() != end; i++ {
		if err := visit(i); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.at++
		}
	}
	s.at++
	return nil
}

// name returns the name of the member at the place, and goes to its value.
func (s *scan) name() (string, error) {
	name, err := stringOf(s.token())
	s.peek() // the colon
	s.at++
	return name, err
}

// valueEnd returns where the value ends that begins at i.
func valueEnd(text []byte, i int) int {
	if text[i] == '"' {
		return strictjson.StringEnd(text, i)
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
			i = strictjson.StringEnd(text, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
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

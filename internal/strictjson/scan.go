package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// CheckObject returns an error unless text is one JSON object in UTF-8. The
// error says where, in place of encoding/json's, which repeats what it met.
func CheckObject(text []byte) error {
	body := bytes.TrimLeft(text, blanks)
	if len(body) == 0 {
		return errors.New("it is empty: want a JSON object")
	}
	if err := checkSyntax(text); err != nil {
		return err
	}
	if body[0] != '{' {
		return errors.New("it is not a JSON object")
	}
	return nil
}

// Check returns an error unless text is one JSON value in UTF-8, keeps within the
// depth, and has no object with a name twice.
func Check(text []byte, maxDepth int) error {
	if err := checkSyntax(text); err != nil {
		return err
	}
	return Members(text, maxDepth, func(_, _ []byte) {})
}

const blanks = " \t\r\n"

// checkSyntax returns an error unless payload is JSON in UTF-8.
func checkSyntax(payload []byte) error {
	switch {
	case len(bytes.TrimLeft(payload, blanks)) == 0:
		return errors.New("it is empty: want JSON")
	case !utf8.Valid(payload):
		return errors.New("it is not UTF-8")
	case !json.Valid(payload):
		var syntax *json.SyntaxError
		if err := json.Unmarshal(payload, &struct{}{}); errors.As(err, &syntax) {
			return fmt.Errorf("it is not valid JSON at byte %d of %d", syntax.Offset, len(payload))
		}
		return errors.New("it is not valid JSON")
	}
	return nil
}

// Members calls visit with the name and the value, as it is written, of each
// member of a valid JSON object. The error says where a name comes twice, at any
// level, or that it nests too deep. Of a value that is no object, it visits none.
func Members(object []byte, maxDepth int, visit func(name, value []byte)) error {
	scan := jsonScan{text: object, maxDepth: maxDepth, visit: visit}
	return scan.run()
}

// jsonScan walks a valid JSON object once, without recursion, and copies
// nothing of it unless a name has escapes.
type jsonScan struct {
	text     []byte
	maxDepth int
	visit    func(name, value []byte)

	names  [][]byte // of the objects that are open, the innermost's last
	open   []int    // per open object or array, how many names there were before
	member []byte   // name of the top-level member that is being read
	value  int      // where its value begins
}

func (s *jsonScan) run() error {
	for i := 0; i < len(s.text); i++ {
		switch s.text[i] {
		case '{', '[':
			if len(s.open) == s.maxDepth {
				return fmt.Errorf("it nests deeper than %d levels", s.maxDepth)
			}
			s.open = append(s.open, len(s.names))
		case '}', ']':
			s.endMember(i)
			if s.closeDuplicates() {
				return fmt.Errorf("the object that ends at byte %d has a name twice", i+1)
			}
		case ',':
			s.endMember(i)
		case '"':
			end := StringEnd(s.text, i)
			if colon := skipBlanks(s.text, end); colon < len(s.text) && s.text[colon] == ':' {
				s.addName(s.text[i:end], colon+1)
			}
			i = end - 1
		}
	}
	return nil
}

// addName notes a member of the innermost object.
func (s *jsonScan) addName(quoted []byte, value int) {
	name := Unquote(quoted)
	s.names = append(s.names, name)
	if len(s.open) == 1 {
		s.member, s.value = name, value
	}
}

// endMember visits the top-level member that ends at end, if one does.
func (s *jsonScan) endMember(end int) {
	if len(s.open) == 1 && s.value > 0 {
		s.visit(s.member, bytes.TrimSpace(s.text[s.value:end]))
		s.value = 0
	}
}

// closeDuplicates ends the innermost object or array, and reports whether it has
// a name twice. Sorting finds them without memory.
func (s *jsonScan) closeDuplicates() bool {
	last := len(s.open) - 1
	names := s.names[s.open[last]:]
	s.names, s.open = s.names[:s.open[last]], s.open[:last]
	slices.SortFunc(names, bytes.Compare)
	for i := 1; i < len(names); i++ {
		if bytes.Equal(names[i-1], names[i]) {
			return true
		}
	}
	return false
}

// StringEnd returns where the string ends that begins at start. It ends: the text is
// valid JSON.
func StringEnd(text []byte, start int) int {
	for i := start + 1; ; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// skipBlanks returns where the next byte is that is no white space, or the end.
func skipBlanks(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n') {
		i++
	}
	return i
}

// Unquote returns the text of a string that is valid JSON.
func Unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return quoted // cannot be: the scan is of valid JSON
	}
	return []byte(text)
}

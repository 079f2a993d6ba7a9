package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// payload is what -d names.
type payload struct {
	data []byte
	text bool
}

// readPayload reads what -d names: a text itself, @FILE, or @- for in. What
// comes from a file is bytes unless asText, or the file is called .json: JSON is text,
// whichever way it is given.
func readPayload(spec string, asText bool, in io.Reader) (payload, error) {
	name, fromFile := strings.CutPrefix(spec, "@")
	if !fromFile {
		if !utf8.ValidString(spec) {
			return payload{}, usagef("-d: the text is not valid UTF-8: put it into a file and use -d @FILE")
		}
		return payload{[]byte(spec), true}, nil
	}
	data, err := readAll(name, in)
	if err != nil {
		return payload{}, fmt.Errorf("-d: %w", err)
	}
	if asText && !utf8.Valid(data) {
		return payload{}, errors.New("-d: the payload is not valid UTF-8: leave out --text to send it as bytes")
	}
	return payload{data, asText || isJSONFile(name) && utf8.Valid(data)}, nil
}

func isJSONFile(name string) bool { return strings.EqualFold(filepath.Ext(name), ".json") }

func readAll(name string, in io.Reader) ([]byte, error) {
	switch name {
	case "":
		return nil, usagef("-d @ names no file: want @FILE, or @- for standard input")
	case "-":
		return io.ReadAll(in)
	default:
		return os.ReadFile(name) //nolint:gosec // reading the file that the user names is the point
	}
}

// parseHeaders reads "name: value" pairs. Errors never repeat a value, which may
// be a secret.
func parseHeaders(lines []string) (map[string]string, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	headers, seen := map[string]string{}, map[string]bool{}
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return nil, usagef("-H number %d is not a header: want 'name: value'", i+1)
		}
		if seen[strings.ToLower(name)] {
			return nil, usagef("-H %s is given twice: want each header once", clip(name, 40))
		}
		headers[name] = strings.TrimSpace(value)
		seen[strings.ToLower(name)] = true
	}
	return headers, nil
}

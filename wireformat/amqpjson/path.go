package amqpjson

import (
	"errors"
	"fmt"
)

// fault is an error at a place in the document, such as value[2].descriptor.
type fault struct {
	path string
	err  error
}

func (f *fault) Error() string { return f.path + ": " + f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// longestPath bounds the text of an error; the levels closest to the fault are
// the ones it keeps.
const longestPath = 200

// at adds one level to where an error is, from within outwards. What it repeats
// of the document are only its own words and numbers.
func at(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	level := fmt.Sprintf(format, args...)
	within, ok := errors.AsType[*fault](err)
	switch {
	case !ok:
		return &fault{level, err}
	case len(within.path) > longestPath:
		return err
	case len(within.path)+len(level) > longestPath:
		level = "…"
	}
	return &fault{level + "." + within.path, within.err}
}

// Package livefile keeps what was read from files, and reads it again when they
// have changed.
package livefile

import (
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Options of a [Value]. The zero value works.
type Options struct {
	// Every is how long a value is used before its files are looked at again.
	// Default: they are looked at each time.
	Every time.Duration
	// OnFault is told when files that have changed cannot be read, by the caller of
	// Get who finds that out: once, until the error is another one or is gone.
	// Default: nobody is told.
	OnFault func(error)
}

// Value is what was read from files. Make one with [New]. It has no goroutine, and
// is safe for concurrent use; two callers may read the files at the same time.
type Value[T any] struct {
	read    func() (T, error)
	options Options
	paths   []string

	current atomic.Pointer[version[T]]
	looked  atomic.Pointer[time.Time] // when the files were looked at
	fault   atomic.Pointer[string]    // that was told
}

// version is what was read when the files had these stamps.
type version[T any] struct {
	stamps []stamp
	value  T
}

// stamp tells the versions of a file apart.
type stamp struct {
	modified time.Time
	size     int64
}

// New returns a value that is read from the files when it is first needed.
func New[T any](read func() (T, error), options Options, paths ...string) *Value[T] {
	return &Value[T]{read: read, options: options, paths: paths}
}

// Get returns what the files hold. While they are being replaced they may be missing
// or not fit each other: what was read before then stays in use. So the error is
// that of files which could never be read.
func (v *Value[T]) Get() (T, error) {
	before := v.current.Load()
	if due := v.isDue(); before != nil && !due {
		return before.value, nil
	}
	stamps, err := v.stamps()
	if before != nil && err == nil && slices.Equal(stamps, before.stamps) {
		v.fault.Store(nil)
		return before.value, nil
	}
	value, err := v.read()
	switch {
	case err == nil:
		v.current.Store(&version[T]{stamps, value})
		v.fault.Store(nil)
	case before != nil:
		v.tell(err)
		return before.value, nil
	}
	return value, err
}

// isDue reports whether the files are to be looked at again, to one caller of those
// that ask at the same time.
func (v *Value[T]) isDue() bool {
	if v.options.Every <= 0 {
		return true
	}
	last, now := v.looked.Load(), time.Now()
	return (last == nil || now.Sub(*last) >= v.options.Every) && v.looked.CompareAndSwap(last, &now)
}

func (v *Value[T]) stamps() ([]stamp, error) {
	all := make([]stamp, len(v.paths))
	for i, path := range v.paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		all[i] = stamp{info.ModTime(), info.Size()}
	}
	return all, nil
}

func (v *Value[T]) tell(err error) {
	text := err.Error()
	if told := v.fault.Swap(&text); v.options.OnFault != nil && (told == nil || *told != text) {
		v.options.OnFault(err)
	}
}

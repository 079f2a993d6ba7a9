//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package privatefile

// Lock locks nothing here: one process alone may change a file.
func Lock(string) (unlock func() error, err error) { return func() error { return nil }, nil }

//go:build !linux

package sqlitequeue

import "os"

// allocate takes room on the disk for a part of a file.
func allocate(file *os.File, from, to int64) error { return writeZeros(file, from, to) }

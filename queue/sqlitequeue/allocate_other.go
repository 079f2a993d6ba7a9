//go:build !linux

package sqlitequeue

import "os"

// allocate takes room on the disk for a file.
func allocate(file *os.File, size int64) error { return writeZeros(file, size) }

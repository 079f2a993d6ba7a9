package sqlitequeue

import (
	"errors"
	"os"
	"syscall"
)

// allocate takes room on the disk for a part of a file, without writing it where the
// file system can do that.
func allocate(file *os.File, from, to int64) error {
	err := syscall.Fallocate(int(file.Fd()), 0, from, to-from)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return writeZeros(file, from, to)
	}
	return err
}

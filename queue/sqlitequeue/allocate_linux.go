package sqlitequeue

import (
	"errors"
	"os"
	"syscall"
)

// allocate takes room on the disk for a file, without writing it where the file
// system can do that.
func allocate(file *os.File, size int64) error {
	err := syscall.Fallocate(int(file.Fd()), 0, 0, size)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return writeZeros(file, size)
	}
	return err
}

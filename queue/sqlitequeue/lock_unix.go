//go:build unix

package sqlitequeue

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock of a file, which the end of the process gives back.
// False: another process has it.
func lockFile(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

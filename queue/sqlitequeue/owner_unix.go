//go:build unix

package sqlitequeue

import (
	"os"
	"syscall"
)

// takeOwner gives a file the owner of another, or of a directory, where this process
// is root: else the one whose store it is could not open it.
func takeOwner(path, from string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}

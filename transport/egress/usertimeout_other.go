//go:build !linux

package egress

import (
	"syscall"
	"time"
)

// setUserTimeout does nothing: the option is Linux's own. Keep-alive still finds
// peers that are gone, when nothing is being written.
func setUserTimeout(syscall.RawConn, time.Duration) error { return nil }

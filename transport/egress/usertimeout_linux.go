package egress

import (
	"fmt"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT, which package syscall does not name.
const tcpUserTimeout = 0x12

// setUserTimeout makes the kernel give a connection up whose written bytes go
// unacknowledged for that long: without it, a peer that vanished swallows writes
// for a quarter of an hour.
func setUserTimeout(c syscall.RawConn, timeout time.Duration) error {
	if timeout < 0 {
		return nil
	}
	var setErr error
	err := c.Control(func(fd uintptr) {
		setErr = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(timeout.Milliseconds()))
	})
	if err != nil {
		return err
	}
	if setErr != nil {
		return fmt.Errorf("set TCP_USER_TIMEOUT: %w", setErr)
	}
	return nil
}

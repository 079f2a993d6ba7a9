//go:build linux || darwin || freebsd || netbsd || openbsd

package wsout

import (
	"errors"
	"syscall"
)

// hungUp reports that the peer has closed or reset the connection, also where the
// reader has not noticed yet. It takes nothing out of the socket. What the peer
// sent before it closed hides the end until it is read.
func (w *wire) hungUp() bool {
	if w.socket == nil {
		return false
	}
	gone := false
	err := w.socket.Control(func(fd uintptr) {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n == 0 && err == nil || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	})
	return gone || err != nil
}

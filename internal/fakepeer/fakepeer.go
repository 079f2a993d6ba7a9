// Package fakepeer has the peers below any protocol that drivers are tested with: one
// that plays with bytes, and none at all.
package fakepeer

import (
	"bufio"
	"context"
	"net"
	"sync"
	"testing"
)

// Raw listens on loopback and has play called with each connection, in a goroutine of
// its own. A connection is closed when play returns, and at the end of the test.
func Raw(t testing.TB, play func(conn *net.TCPConn, in *bufio.Reader)) (hostPort string) {
	t.Helper()
	listener, over := listen(t), t.Context()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				defer context.AfterFunc(over, func() { _ = conn.Close() })()
				play(conn.(*net.TCPConn), bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}

// Nobody returns a host and port of loopback at which nobody listens.
func Nobody(t testing.TB) (hostPort string) {
	t.Helper()
	listener := listen(t)
	_ = listener.Close()
	return listener.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

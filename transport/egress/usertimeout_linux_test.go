package egress_test

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/egress"
)

func TestUserTimeoutIsSet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		option time.Duration
		want   int
	}{{0, 30000}, {1500 * time.Millisecond, 1500}, {-1, 0}} {
		addr, _ := listen(t)
		d := newDialer(t, newProfile(t, profile.Options{}, "127.0.0.0/8"), egress.Options{UserTimeout: test.option})
		conn, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var got int
		var getErr error
		if err := raw.Control(func(fd uintptr) {
			got, getErr = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, 0x12)
		}); err != nil || getErr != nil {
			t.Fatal(err, getErr)
		}
		if got != test.want {
			t.Errorf("option %v: got %d ms, want %d", test.option, got, test.want)
		}
		_ = conn.Close()
	}
}

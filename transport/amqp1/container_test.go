package amqp1

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/amqppeer"
)

// TestSendersAreShared: equal remotes and targets are one link, and the container does
// not grow with every address it ever saw.
func TestSendersAreShared(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{})
	c, remote := newContainer(t, Options{MaxSenders: 10}), remoteOf(t, p)
	first, err := c.Sender(remote, Target{Address: "q"})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Sender(remote, Target{Address: "q"}); err != nil || again != first {
		t.Errorf("another sender for the same target: %v", err)
	}
	if other, err := c.Sender(remote, Target{Address: "q", Window: 7}); err != nil || other == first {
		t.Errorf("the same sender for another target: %v", err)
	}
	for i := range 100 {
		remote.ContainerID = fmt.Sprint("me-", i)
		if _, err := c.Sender(remote, Target{Address: "q"}); err != nil {
			t.Fatal(err)
		}
	}
	if senders, pools := len(c.senders), len(c.pools); senders > 10 || pools > 10 {
		t.Errorf("%d senders and %d pools are kept", senders, pools)
	}
}

func TestClosedContainer(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	p := startPeer(t, amqppeer.Options{Answer: func(*amqppeer.Conn, *amqppeer.Delivery) { reached <- struct{}{} }})
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Sender(remoteOf(t, p), Target{Address: "q"})
	if err != nil {
		t.Fatal(err)
	}
	under := make(chan error, 1)
	go func() {
		_, err := s.Send(within(t, soon), text("x"), SendOptions{})
		under <- err
	}()
	<-reached
	if err := c.Close(within(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close while a send is under way: %v", err)
	}
	if _, err := s.Send(within(t, soon), text("y"), SendOptions{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Send while it closes: %v", err)
	}
	c.Abort()
	if err := <-under; err == nil {
		t.Error("a send without an outcome succeeds")
	}
	if err := c.Close(within(t, soon)); err != nil {
		t.Error(err)
	}
	if _, err := c.Sender(remoteOf(t, p), Target{Address: "q"}); !errors.Is(err, ErrClosed) {
		t.Errorf("Sender after Close: %v", err)
	}
	if _, err := c.Receiver(remoteOf(t, p), Source{Address: "q"}); !errors.Is(err, ErrClosed) {
		t.Errorf("Receiver after Close: %v", err)
	}
}

func TestOptionsAndRemotesAreChecked(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"a negative timeout": {StallTimeout: -1}, "a short frame": {MaxFrameSize: 511}, "a long frame": {MaxFrameSize: 16<<20 + 1},
		"many links": {LinksPerConnection: 257}, "negative senders": {MaxSenders: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	p := startPeer(t, amqppeer.Options{})
	c := newContainer(t, Options{})
	for name, change := range map[string]func(*Remote, *Target){
		"no dialer":      func(r *Remote, _ *Target) { r.Dialer = nil },
		"no port":        func(r *Remote, _ *Target) { r.Address = "host" },
		"a mechanism":    func(r *Remote, _ *Target) { r.Credentials.Mechanisms = []string{"GSSAPI"} },
		"a zero byte":    func(r *Remote, _ *Target) { r.Credentials.Username = "a\x00b" },
		"a window":       func(_ *Remote, t *Target) { t.Window = 1001 },
		"two addresses":  func(_ *Remote, t *Target) { t.Dynamic = true },
		"an expiry":      func(_ *Remote, t *Target) { t.ExpiryPolicy = "soon" },
		"a durability":   func(_ *Remote, t *Target) { t.Durability = 3 },
		"no token":       func(r *Remote, _ *Target) { r.Credentials.Mechanisms = []string{XOAuth2} },
		"no user":        func(r *Remote, _ *Target) { r.Credentials.Mechanisms = []string{Plain} },
		"negative bytes": func(_ *Remote, t *Target) { t.WindowBytes = -1 },
	} {
		remote, target := remoteOf(t, p), Target{Address: "q"}
		change(&remote, &target)
		if _, err := c.Sender(remote, target); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

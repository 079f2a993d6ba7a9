package httpout

import (
	"io"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/outrider-go/outrider/profile"
)

// TestIdleConnectionsMakeRoom: where no file descriptor is left, those of connections
// that nobody uses are taken, of whichever profile.
func TestIdleConnectionsMakeRoom(t *testing.T) { //nolint:paralleltest // the limit is the process's
	const idle = 8
	var all sync.WaitGroup
	all.Add(idle)
	busy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		all.Done()
		all.Wait()
		w.WriteHeader(http.StatusNoContent)
	})
	other := serve(t, ok)
	tr, p := start(t, Options{}), local(t, profile.Options{})
	var senders sync.WaitGroup
	for range idle {
		senders.Go(func() { deliver(t, tr, message(t, p, busy.URL)) })
	}
	senders.Wait()
	another, err := profile.New("another", profile.Options{Egress: p.Egress()})
	if err != nil {
		t.Fatal(err)
	}
	limitDescriptors(t)
	deliver(t, tr, message(t, another, other.URL))
}

// limitDescriptors leaves the process no file descriptor until the test ends.
func limitDescriptors(t *testing.T) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	next, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	used := syscall.Rlimit{Cur: uint64(next.Fd()), Max: limit.Max}
	_ = next.Close()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &used); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	})
	if file, err := os.Open(os.DevNull); err == nil {
		_ = file.Close()
		t.Fatal("there is a descriptor left")
	}
}

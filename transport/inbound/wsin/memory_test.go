package wsin_test

import (
	"runtime"
	"testing"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/wsin"
)

// TestMemoryOfIdleSessions: what an idle session takes of heap and stacks, beyond
// what its peer takes in the same process.
func TestMemoryOfIdleSessions(t *testing.T) {
	const sessions, limit = 300, 40 << 10
	r := receive(t, nil, wsin.Options{Heartbeat: -1}, inbound.Options{})
	peers := make([]*rawPeer, sessions)
	before := inUse()
	for i := range peers {
		peers[i] = r.raw(t)
		peers[i].write(t, frame(final|opText, []byte("hello")), ackPing(1))
		peers[i].until(t, opPong)
	}
	each := (inUse() - before) / sessions
	t.Logf("%d bytes a session, with its peer", each)
	if each > limit {
		t.Errorf("an idle session takes %d bytes, want %d at most", each, limit)
	}
	for _, p := range peers {
		_ = p.Close()
	}
	r.noSessions(t)
}

// inUse is what is in use of heap and stacks.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc + stats.StackInuse)
}

package outbound

import (
	"testing"

	"github.com/outrider-go/outrider/transport"
)

// TestAnnouncementOfAReplay: a message is replayed while it is still being told that it
// was queued first.
func TestAnnouncementOfAReplay(t *testing.T) {
	t.Parallel()
	var a announcer
	var told []Status
	id := transport.ID{1}
	first, replay := MessageEvent{ID: id, Status: "first"}, MessageEvent{ID: id, Status: "replay"}
	tell := func(e *MessageEvent) { told = append(told, e.Status) }
	a.add(first)
	a.publish(id, func(e *MessageEvent) {
		tell(e)
		a.add(replay)
	})
	a.publish(id, tell)
	a.publish(id, tell)
	if len(told) != 2 || told[0] != "first" || told[1] != "replay" {
		t.Errorf("told %q", told)
	}
	if n := a.count.Load(); n != 0 {
		t.Errorf("%d are kept", n)
	}
}

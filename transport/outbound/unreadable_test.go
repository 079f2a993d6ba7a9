package outbound_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/queue/sealqueue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// sealed returns a store whose messages cannot be read once their key is shredded.
func sealed(t *testing.T) (queue.Store, *keyring.Keyring) {
	t.Helper()
	master, err := keyring.ParseMaster(keyring.NewMaster())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.Open(t.TempDir(), master)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	store, err := sealqueue.New(inner, keys, sealqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
	return store, keys
}

// TestUnreadableMessages: what the store ends because it cannot be read is told,
// and no longer counts as waiting.
func TestUnreadableMessages(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, keys := sealed(t)
		d := &driver{}
		f := startOver(t, store, d, outbound.Options{})
		held := queue.Lane{Profile: profile.DefaultID, Destination: endpoint(t, "test://a").Destination()}
		if err := f.PauseDestination(t.Context(), held, queue.Forever, ""); err != nil {
			t.Fatal(err)
		}
		lost := []transport.ID{f.send("test://a", nil), f.send("test://a", nil), f.send("test://a", nil)}
		if _, err := keys.Shred(t.Context(), profile.DefaultID); err != nil {
			t.Fatal(err)
		}
		readable := f.send("test://a", nil)
		synctest.Wait()
		if err := f.ResumeDestination(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		if err := f.Flush(t.Context()); err != nil { // returns when nothing waits
			t.Fatal(err)
		}
		if seen := d.seen(); len(seen) != 1 || seen[0].message.ID != readable {
			t.Errorf("attempts: %+v", seen)
		}
		synctest.Wait()
		dead := map[transport.ID]int{}
		for more := true; more; {
			select {
			case e := <-f.events.Events():
				if m, ok := e.Payload.(outbound.MessageEvent); ok && e.Topic == outbound.TopicDead {
					dead[m.ID]++
				}
			default:
				more = false
			}
		}
		for _, id := range lost {
			record, err := f.Get(t.Context(), id, false)
			if err != nil || record.Result != queue.Dead || dead[id] != 1 {
				t.Errorf("the result of %s is %q, %v, and its end was told %d times", id, record.Result, err, dead[id])
			}
		}
	})
}

// keyless is a store that cannot read the ordering keys of what it ends, either: a
// disk can lose all of a message but its place.
type keyless struct{ queue.Store }

func (s keyless) Expire(ctx context.Context, limit int) ([]queue.Record, time.Time, error) {
	records, next, err := s.Store.Expire(ctx, limit)
	for i := range records {
		records[i].OrderingKey = ""
	}
	return records, next, err
}

// TestUnreadableMessagePassesTheTurn: the next of its ordering key is attempted,
// though nobody can tell which key that is.
func TestUnreadableMessagePassesTheTurn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, keys := sealed(t)
		f := startOver(t, keyless{store}, &driver{}, outbound.Options{})
		due := time.Now().Add(time.Second)
		ordered := func(m *outbound.Message) { m.OrderingKey, m.NotBefore = "key", due }
		lost := f.send("test://host/", ordered)
		if _, err := keys.Shred(t.Context(), profile.DefaultID); err != nil {
			t.Fatal(err)
		}
		readable := f.send("test://host/", ordered)
		pass(2 * time.Second)
		synctest.Wait()
		if record, err := f.Get(t.Context(), lost, false); err != nil || record.Result != queue.Dead {
			t.Errorf("the result of the first is %q, %v", record.Result, err)
		}
		f.wantResult(readable, queue.Delivered)
	})
}

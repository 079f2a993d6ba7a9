package outbound_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// wantWait checks what a message waits for.
func (f *fixture) wantWait(what string, id transport.ID, want outbound.Wait) {
	f.t.Helper()
	synctest.Wait()
	got := f.Waits([]queue.Record{f.record(id)})[0]
	if got.For != want.For || !got.Until.Equal(want.Until) {
		f.t.Errorf("%s: waits for %+v, want %+v", what, got, want)
	}
}

func TestAMessageSaysThatItsDestinationIsPaused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		at := time.Now().Add(time.Minute)
		f.hold(at)
		id := f.send("test://host/", nil)
		f.wantWait("paused for a minute", id, outbound.Wait{For: outbound.WaitingForResume, Until: at})
		f.wantWait("another destination", f.send("test://other/", nil), outbound.Wait{})
		later := f.send("test://host/", func(m *outbound.Message) { m.NotBefore = at.Add(time.Second) })
		f.wantWait("the pause ends before its time", later, outbound.Wait{})
		f.hold(queue.Forever)
		for _, id := range []transport.ID{id, later} {
			f.wantWait("paused until it is resumed", id, outbound.Wait{For: outbound.WaitingForResume})
		}
		if err := f.ResumeDestination(t.Context(), queue.Lane{Profile: profile.DefaultID, Destination: "test://host/"}); err != nil {
			t.Fatal(err)
		}
		f.wantWait("done", id, outbound.Wait{})
		f.wantWait("its time is to come", later, outbound.Wait{})
	})
}

func TestAMessageSaysThatItsDestinationFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		release := make(chan struct{})
		f := start(t, &d.driver, outbound.Options{Breaker: outbound.Breaker{Failures: 1}, Retry: outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 9}})
		failed := f.send("test://host/", nil)
		synctest.Wait()
		id := f.send("test://host/", nil)
		open := f.Destinations(t.Context())[0].OpenUntil
		f.wantWait("the breaker is open", id, outbound.Wait{For: outbound.WaitingForRecovery, Until: open})
		f.wantWait("its retry comes after that", failed, outbound.Wait{})
		d.handle = func(context.Context, *outbound.Message) error { <-release; return nil }
		next := f.send("test://host/", nil)
		pass(time.Until(open))
		f.wantWait("it is attempted", id, outbound.Wait{})
		f.wantWait("one at a time is attempted", next, outbound.Wait{For: outbound.WaitingForRecovery})
		close(release)
		f.wantWait("done", next, outbound.Wait{})
	})
}

func TestAMessageSaysThatItWaitsForItsTurn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Minute, MaxAttempts: 9}})
		inOrder := func(m *outbound.Message) { m.OrderingKey = "k" }
		first := f.send("test://host/", inOrder)
		synctest.Wait()
		second := f.send("test://host/", inOrder)
		f.wantWait("the first waits for its retry", first, outbound.Wait{})
		f.wantWait("the second waits for the first", second, outbound.Wait{For: outbound.WaitingForTurn})
		f.hold(queue.Forever)
		f.wantWait("the destination comes first", second, outbound.Wait{For: outbound.WaitingForResume})
	})
}

func TestAMessageSaysThatItWaitsForTheRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{LaneRate: outbound.Rate{PerSecond: 1}})
		f.send("test://host/", nil)
		synctest.Wait()
		f.wantWait("no token", f.send("test://host/", nil), outbound.Wait{For: outbound.WaitingForRate})
	})
}

func TestAMessageSaysThatItWaitsForItsRecipient(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sessions := &peers{}
		f := start(t, &driver{}, outbound.Options{Sessions: sessions, Profiles: picksUp(t, profile.Options{})})
		id := f.sendTo("hello", "bob").ID
		f.wantWait("bob is away", id, outbound.Wait{For: outbound.WaitingForRecipient})
		sessions.set("bob", true)
		f.Arrived(profile.DefaultID, "bob")
		f.wantWait("bob has it", id, outbound.Wait{})
	})
}

package outbound_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport/outbound"
)

// slow is a driver that takes its time to start and to stop.
type slow struct {
	driver
	startTakes, stopTakes time.Duration
}

func (s *slow) Name() string { return "slow" }

func (s *slow) Start(ctx context.Context) error {
	pass(s.startTakes)
	return s.driver.Start(ctx)
}

func (s *slow) Stop(ctx context.Context) error {
	pass(s.stopTakes)
	return s.driver.Stop(ctx)
}

// Replace waits for attempts, and Stop does, too: only one of them stops the
// transport and tells of it.
func TestReplacedTransportIsStoppedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		old := &slow{driver: driver{handle: func(context.Context, *outbound.Message) error { pass(time.Second); return nil }}, stopTakes: time.Second}
		f := start(t, nil, outbound.Options{})
		if err := f.Register(old); err != nil {
			t.Fatal(err)
		}
		f.send("test://host/", nil)
		synctest.Wait()
		go func() { _ = f.Replace(t.Context(), &driver{}) }()
		synctest.Wait()
		if _, err := f.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := 0
		for e := range f.events.Events() {
			if p, ok := e.Payload.(outbound.TransportEvent); ok && e.Topic == outbound.TopicTransportStopped && p.Transport == "slow" {
				n++
			}
		}
		if n != 1 || old.stopped != 1 {
			t.Errorf("told %d times, stopped %d times", n, old.stopped)
		}
	})
}

// Messages that were leased ahead are not attempted after Cancel has returned them.
func TestCancelReachesWhatWasLeasedAhead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &driver{handle: func(context.Context, *outbound.Message) error { pass(time.Second); return nil }}
		f := start(t, d, outbound.Options{Workers: 1})
		lane := queue.Lane{Profile: "default", Destination: "test://host/"}
		if err := f.PauseDestination(t.Context(), lane, queue.Forever, ""); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			f.send("test://host/", nil)
		}
		if err := f.ResumeDestination(t.Context(), lane); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := f.Cancel(t.Context(), queue.Query{}); err != nil {
			t.Fatal(err)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(f.driver.seen()); n != 1 {
			t.Errorf("%d attempts, want only the one that was under way", n)
		}
	})
}

// However Replace, Unregister and Stop meet, every transport that was started is
// stopped.
func TestReplaceMeetsStop(t *testing.T) {
	t.Parallel()
	for range 10 {
		m, err := outbound.New(newBadStore(t), outbound.Options{})
		if err != nil {
			t.Fatal(err)
		}
		old, a, b := &driver{}, &slow{startTakes: 20 * time.Millisecond}, &slow{startTakes: 20 * time.Millisecond}
		if err := m.Register(old); err != nil {
			t.Fatal(err)
		}
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { _ = m.Replace(t.Context(), a) })
		pass(4 * time.Millisecond)
		wg.Go(func() { _ = m.Replace(t.Context(), b) })
		pass(4 * time.Millisecond)
		for i := range 3 {
			wg.Go(func() { _ = m.Unregister(t.Context(), fmt.Sprint("x", i)) })
		}
		pass(22 * time.Millisecond)
		if _, err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if old.stopped != old.started || a.stopped != a.started || b.stopped != b.started {
			t.Errorf("started/stopped: old %d/%d a %d/%d b %d/%d", old.started, old.stopped, a.started, a.stopped, b.started, b.stopped)
		}
	}
}

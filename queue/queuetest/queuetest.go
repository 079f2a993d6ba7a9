// Package queuetest is the suite that every queue.Store passes. It is the
// contract where the text of package queue is silent: an engine is done when
//
//	func TestStore(t *testing.T) {
//		queuetest.Run(t, open, queuetest.Features{})
//	}
//
// passes under the race detector. [Run] also plays random calls against a naive
// model of a store and compares all that can be seen. [Bench] measures.
//
// # Time
//
// Each case runs in a bubble of testing/synctest, in which hours pass at once;
// open is called inside it. A store whose clock is not in this process sets
// [Features].RealTime: its cases wait in real time, and those that would take
// hours are left out.
//
// # Concurrency
//
// The cases are parallel, each with a store of its own.
package queuetest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// Open returns an empty store that nothing else uses. The suite closes it.
type Open func(tb testing.TB) queue.Store

// Features says what the suite has to know of a store.
type Features struct {
	// RealTime is set for a store whose time cannot be faked by testing/synctest. It
	// is the unit in which the cases wait, mostly one to four times: long enough for
	// a dozen calls to take less than a half of it. A second is a good one.
	RealTime time.Duration
	// Reopen closes a store and opens what it has kept. Nil, for a store that is
	// not durable, leaves out the cases that need it.
	Reopen func(tb testing.TB, store queue.Store) queue.Store
	// KeyLifetime is how long the store, as Open opens it, knows an idempotency key:
	// ten RealTime or more. Zero, for longer than any case takes, leaves out the cases
	// in which one is forgotten.
	KeyLifetime time.Duration
	// MaxKeys is how many idempotency keys the store, as Open opens it, knows: the
	// latest, and at least ten. Zero, for more than any case has, leaves out the case
	// that has more.
	MaxKeys int
}

// Run runs the suite.
func Run(t *testing.T, open Open, features Features) {
	t.Helper()
	for _, theme := range []struct {
		name  string
		cases []testCase
	}{
		{"Enqueue", enqueueCases()},
		{"Duplicates", duplicateCases()},
		{"Lease", leaseCases()},
		{"LeaseEnd", leaseEndCases()},
		{"Due", dueCases()},
		{"Order", orderCases()},
		{"Priority", priorityCases()},
		{"Ordering", orderingCases()},
		{"Skip", skipCases()},
		{"Targets", targetCases()},
		{"Settle", settleCases()},
		{"Cancel", cancelCases()},
		{"Replay", replayCases()},
		{"Expire", expireCases()},
		{"Get", getCases()},
		{"List", listCases()},
		{"Attempts", attemptCases()},
		{"Stats", statsCases()},
		{"Lanes", laneCases()},
		{"Purge", purgeCases()},
		{"Close", closeCases()},
		{"Reopen", reopenCases()},
		{"Together", togetherCases()},
	} {
		t.Run(theme.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range theme.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.start(t, open, features)
				})
			}
		})
	}
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		checkModel(t, open, features)
	})
}

// testCase is one case of the suite.
type testCase struct {
	name string
	run  func(x *trial)
	// long cases take more time than is real.
	long bool
	// reopens says that the case needs a durable store.
	reopens bool
	// forgets says that the case needs a store that forgets keys, by their age.
	forgets bool
	// counts says that the case needs a store that bounds the number of keys.
	counts bool
}

func (c *testCase) start(t *testing.T, open Open, features Features) {
	switch {
	case c.long && features.RealTime > 0:
		t.Skip("takes too long in real time")
	case c.reopens && features.Reopen == nil:
		t.Skip("the store is not durable")
	case c.forgets && features.KeyLifetime == 0:
		t.Skip("the lifetime of the store's keys is not known")
	case c.counts && features.MaxKeys == 0:
		t.Skip("the number of the store's keys is not bounded")
	case features.RealTime > 0:
		c.run(newTrial(t, open, features))
	default:
		synctest.Test(t, func(t *testing.T) { c.run(newTrial(t, open, features)) })
	}
}

// trial is a running case: a store, and what the cases do with it.
type trial struct {
	*testing.T
	store    queue.Store
	features Features
	unit     time.Duration // in which cases count time
	slack    time.Duration // between two looks at the clock
}

func newTrial(t *testing.T, open Open, features Features) *trial {
	t.Helper()
	x := &trial{T: t, store: open(t), features: features, unit: time.Minute, slack: precision}
	if features.RealTime > 0 {
		x.unit, x.slack = features.RealTime, features.RealTime/2
	}
	t.Cleanup(func() {
		if err := x.store.Close(context.WithoutCancel(t.Context())); err != nil && !errors.Is(err, queue.ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	return x
}

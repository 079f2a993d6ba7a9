package outbound

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// ErrNothingWaits is returned where there is no message to test a destination with.
var ErrNothingWaits = errors.New("no message waits for an attempt: send one, and test again")

// DestinationTest is what came of an attempt that was asked for.
type DestinationTest struct {
	ID       transport.ID       `json:"id"`      // of the message
	Attempt  int                `json:"attempt"` // since it was queued, from 1
	Class    transport.Class    `json:"class"`
	Evidence transport.Evidence `json:"evidence"`
	Code     string             `json:"code,omitempty"`
	Error    string             `json:"error,omitempty"` // without secrets
	Duration time.Duration      `json:"-"`
	// Result is how the message has ended; empty: it has not.
	Result queue.Result `json:"result,omitempty"`
}

// TestDestination makes one attempt at once, also where the destination is paused,
// its breaker open or its rate used up: with the message that is due longest, or
// else with the one that waits for another attempt and is due soonest. The attempt
// counts like any other. One that succeeds closes the breaker, but does not end a
// pause.
//
// It waits for a free worker. When ctx ends, an attempt that has begun goes on.
// Errors: ErrNothingWaits, ErrNotStarted, ErrStopped.
func (m *Manager) TestDestination(ctx context.Context, key queue.Lane) (DestinationTest, error) {
	if err := m.accepting(); err != nil {
		return DestinationTest{}, err
	}
	request := &testRequest{key: key, answer: make(chan testAnswer, 1)}
	m.sched.ask(request)
	select {
	case answer := <-request.answer:
		if answer.err != nil {
			return DestinationTest{}, fmt.Errorf("test %s: %w", key.Destination, answer.err)
		}
		return answer.test, nil
	case <-ctx.Done():
		m.sched.giveUp(request)
		return DestinationTest{}, ctx.Err()
	}
}

// testRequest asks a worker for an attempt.
type testRequest struct {
	key    queue.Lane
	answer chan testAnswer // has room for the one there will be
}

type testAnswer struct {
	test DestinationTest
	err  error
}

// ask has the next free worker make a test.
func (s *scheduler) ask(request *testRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		request.answer <- testAnswer{err: ErrStopped}
		return
	}
	s.tests = append(s.tests, request)
	s.wakeOne()
}

// giveUp takes back a request that no worker has.
func (s *scheduler) giveUp(request *testRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tests = slices.DeleteFunc(s.tests, func(other *testRequest) bool { return other == request })
}

// takeTest gives a worker the oldest request, if there is one.
func (s *scheduler) takeTest(w *worker) *lane {
	if len(s.tests) == 0 {
		return nil
	}
	w.test = s.tests[0]
	s.tests = slices.Delete(s.tests, 0, 1)
	l := s.laneOf(w.test.key)
	l.running++
	return l
}

// charge has a test pay for its attempt.
func (s *scheduler) charge(l *lane, pace pace, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.pace, l.paceKnown = pace, true
	l.takeToken(now)
}

// answerTest answers the worker's request, if it has one.
func (w *worker) answerTest() {
	if w.test != nil {
		w.test.answer <- w.answer // has room
		w.test, w.answer = nil, testAnswer{}
	}
}

// makeTest makes an attempt for the worker's request, where there is a message for
// it. The answer goes out when the scheduler knows, too.
func (w *worker) makeTest(l *lane) {
	w.finding, w.answer.err = finding{}, ErrNothingWaits
	w.m.settler.catchUp()
	w.budgets[0] = queue.Budget{Lane: l.key, Max: 1, Early: true}
	leased, err := w.askStore(nil)
	w.now = time.Now()
	if err != nil {
		w.answer.err = err
		return
	}
	if len(leased) == 0 {
		return
	}
	w.leased = lease{Leased: &leased[0]}
	w.m.sched.charge(l, w.m.paceOf(w.m.base, l.key.Profile), w.now)
	w.testing = true
	w.attempt(l)
}

// settleTest records the outcome of a test, and makes the answer of it. False: the store
// has no room for the outcome.
func (w *worker) settleTest(outcome queue.Outcome, log *queue.Attempt) bool {
	w.testing = false
	if log != nil {
		kept := *log
		outcome.Attempt = &kept
	}
	outcomes := []queue.Outcome{outcome}
	faults, err := w.m.store.Settle(w.m.settling, outcomes)
	full := errors.Is(err, queue.ErrStoreFull)
	if full {
		outcomes[0].Result = ""
	} else {
		w.m.recorded([]lease{w.leased}, outcomes, faults, err)
		w.now = time.Now()
	}
	w.reportTest(&outcomes[0])
	return !full
}

// reportTest makes the answer of the attempt that led to an outcome.
func (w *worker) reportTest(outcome *queue.Outcome) {
	switch log := outcome.Attempt; {
	case outcome.Verdict == queue.VerdictRelease && w.m.base.Err() != nil: // cut short
		w.answer.err = ErrStopped
	case outcome.Verdict == queue.VerdictRelease: // it does not count
		w.answer.err = w.fault.err
	case log != nil: // it has not expired meanwhile
		w.answer = testAnswer{test: DestinationTest{
			ID: w.leased.ID, Attempt: w.leased.Attempt, Duration: log.Duration, Result: outcome.Result,
			Class: log.Class, Evidence: log.Evidence, Code: log.Code, Error: log.Error,
		}}
	}
}

package outbound

import (
	"time"

	"github.com/outrider-go/outrider/queue"
)

// failingMarks are the parts of the failure budget, in percent, at which a failing
// destination is told of. The first is told when its breaker opens.
var failingMarks = [...]int{0, 50, 70, 90, 100}

// laneNews is what is to be told of a lane, and kept.
type laneNews struct {
	key   queue.Lane
	topic string // empty: it is only kept
	event DestinationEvent
	keep  bool // the store is to have the lane's state
}

// spend looks how long a lane's destination has failed, and tells of it. A
// destination that has spent its budget is paused until somebody resumes it; but
// not before it has failed for a hundredth of it since the start: nobody knows what
// it was like while nobody tried, and the network may not be up yet. The budget is
// looked at when an attempt has failed: where none is made, nothing fails.
func (s *scheduler) spend(l *lane, now time.Time) {
	h, percent := l.health, 0.0
	if s.rules.budget > 0 {
		percent = 100 * float64(now.Sub(h.since)) / float64(s.rules.budget)
	}
	reached := 0
	for i, mark := range failingMarks {
		if i == 0 && h.coolOff > 0 || i > 0 && percent >= float64(mark) {
			reached = i + 1
		}
	}
	if reached == len(failingMarks) && now.Sub(h.here) < s.rules.budget/100 {
		reached--
	}
	// A restart must not lose a failing that has begun, however seldom there is an
	// attempt; nor is it worth a write for each that passes.
	if !h.kept && (reached > 0 || percent >= 1) {
		h.kept = true
		s.keep(l)
	}
	if reached <= h.told {
		return
	}
	h.told = reached
	s.tell(l, TopicDestinationFailing, failingMarks[reached-1])
	if reached == len(failingMarks) && !l.pausedUntil.Equal(queue.Forever) {
		l.pausedUntil = queue.Forever
		l.reason = reasonFailing + h.since.UTC().Format(time.RFC3339)
		s.keep(l)
		s.tell(l, TopicDestinationPaused, 100)
	}
}

// recovered tells that a destination works again, where it was told that it
// fails. Its health is to be dropped next.
func (s *scheduler) recovered(l *lane) {
	if l.health.kept {
		s.keep(l)
	}
	if l.health.told > 0 {
		s.tell(l, TopicDestinationRecovered, 0)
	}
}

// tell adds an event to the news.
func (s *scheduler) tell(l *lane, topic string, percent int) {
	e := l.event()
	e.Percent = percent
	s.news = append(s.news, laneNews{key: l.key, topic: topic, event: e})
}

// keep has the lane's state recorded, as it is by then.
func (s *scheduler) keep(l *lane) {
	s.news = append(s.news, laneNews{key: l.key, keep: true})
}

// takeNews returns the news, in their order. They are the caller's to tell.
func (s *scheduler) takeNews() []laneNews {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := make([]laneNews, 0, len(s.owed)+len(s.news))
	for key := range s.owed {
		news = append(news, laneNews{key: key, keep: true})
	}
	news = append(news, s.news...)
	clear(s.owed)
	s.news, s.telling = nil, false
	return news
}

// owe has the state of a lane recorded with the next news.
func (s *scheduler) owe(key queue.Lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owed[key] = struct{}{}
}

// event is what is known of the lane.
func (l *lane) event() DestinationEvent {
	e := DestinationEvent{
		Profile: l.key.Profile, Destination: l.key.Destination, PausedUntil: l.pausedUntil, Reason: l.reason,
	}
	if h := l.health; h != nil {
		e.Failures, e.Since, e.Class, e.Error = h.failures, h.since, h.class, h.err
	}
	return e
}

// stateOf is what is to be kept of a lane.
func (s *scheduler) stateOf(key queue.Lane) queue.LaneState {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := queue.LaneState{Lane: key}
	if l := s.lanes[key]; l != nil {
		state.PausedUntil, state.Reason = l.pausedUntil, l.reason
		if l.health != nil && l.health.kept {
			state.FailingSince = l.health.since
		}
	}
	return state
}

// restore takes up a state that was kept. What was told of a failing destination
// is known but for how much of its budget it had spent: that is told again with
// its next failure.
//
// Such states are in wall-clock time, and the clock may have been wrong when they were
// kept: no destination has begun to fail in the future, or is granted a pause of more
// than a day. A pause by hand, and one without an end, are as they were meant.
func (s *scheduler) restore(state queue.LaneState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	l := s.laneOf(state.Lane)
	if longest := now.Add(maxRetryAfter); state.Reason == askedForPause && state.PausedUntil.After(longest) {
		state.PausedUntil = longest
		s.keep(l)
	}
	if state.FailingSince.After(now) {
		state.FailingSince = now
		s.keep(l)
	}
	if state.PausedUntil.After(now) {
		l.pausedUntil, l.reason = state.PausedUntil, state.Reason
	}
	if !state.FailingSince.IsZero() {
		l.health = &health{since: state.FailingSince, last: now, told: 1, kept: true}
		if l.workAt().IsZero() { // nobody knows when it failed last
			l.health.last = state.FailingSince
		}
	}
	s.place(l, now)
}

package outbound

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// scheduler decides which lane a free worker serves. Profiles take turns, and so
// do the lanes of one, so that neither a long lane nor a profile with many lanes
// holds up others; lanes whose work is due later stand in a heap. It keeps no messages but those leased
// for a worker that is on its way, and knows of the rest only when they are due.
//
// Workers pull: whoever adds work wakes the worker that went idle last, whose
// stack and caches are warm, and no goroutine stands between them.
type scheduler struct {
	rules laneRules

	mu        sync.Mutex
	lanes     map[queue.Lane]*lane
	ring      profileRing
	later     laneHeap
	rooms     rooms         // for leases
	arrivals  atomic.Uint64 // counts what arrived has been told
	idle      []*worker
	searching int // workers awake that have not looked into the ring yet
	quiet     int // lanes without work that are remembered
	news      []laneNews
	owed      map[queue.Lane]struct{} // states that could not be recorded; go with the next news
	telling   bool                    // somebody is on the way to tell the news
	tests     []*testRequest
	stopped   bool

	// kick tells the clock that its next instant has changed.
	kick chan struct{}
}

// laneRules hold for every lane.
type laneRules struct {
	limit   int // attempts at once
	breaker Breaker
	budget  time.Duration // of failing; negative: no limit
}

// lane is what the manager knows of one destination's queue.
type lane struct {
	key         queue.Lane
	pickup      bool // its messages wait for their recipient
	tenant      *tenant
	endpoint    endpointCache
	running     int         // attempts under way
	ready       readyBuffer // leased, for workers on their way
	due         time.Time   // when the store has work; zero: it has none
	dueMeantime time.Time   // like due, learnt while leasing
	pausedUntil time.Time   // zero: not paused
	reason      string      // of the pause
	leasing     bool        // a worker asks the store
	health      *health     // nil: it is well
	away        bool        // nothing is attempted before the destination arrives
	pace        pace
	paceKnown   bool      // pace is the profile's
	full        time.Time // when all tokens of the pace are back
	inRing      bool
	quiet       bool // has no work and is remembered nevertheless
	heapIndex   int  // in later; -1 when not there
}

func newScheduler(rules laneRules) *scheduler {
	return &scheduler{rules: rules, lanes: map[queue.Lane]*lane{}, owed: map[queue.Lane]struct{}{}, kick: make(chan struct{}, 1)}
}

// notify says that the store has work for a lane at an instant; zero is now.
func (s *scheduler) notify(key queue.Lane, at time.Time) {
	now := immediately
	if at.IsZero() {
		at = immediately
	} else {
		now = time.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.laneOf(key)
	if l.leasing {
		l.dueMeantime = earlier(l.dueMeantime, at)
		return
	}
	l.due = earlier(l.due, at)
	if l.pace.bounds() {
		now = time.Now()
	}
	s.place(l, now)
}

// pause holds a lane, and returns the messages that had been leased for it, which
// are to be released.
func (s *scheduler) pause(key queue.Lane, until time.Time, reason string) []lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halt(s.laneOf(key), until, reason)
}

// hold is pause for what an attempt has found out. Attempts that run side by side
// ask for almost the same pause: the first is enough.
func (s *scheduler) hold(key queue.Lane, until time.Time, reason string) []lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.laneOf(key)
	if l.pausedUntil.After(until.Add(-time.Second)) {
		return nil
	}
	s.keep(l)
	return s.halt(l, until, reason)
}

// halt pauses a lane and tells of it.
func (s *scheduler) halt(l *lane, until time.Time, reason string) []lease {
	l.pausedUntil, l.reason = until, reason
	s.tell(l, TopicDestinationPaused, 0)
	held := l.ready.takeAll(nil)
	s.place(l, time.Now())
	return held
}

// withdraw takes back a message that was leased ahead, if no worker has it yet.
func (s *scheduler) withdraw(key queue.Lane, id transport.ID) []lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[key]; l != nil {
		return l.ready.withdraw(id)
	}
	return nil
}

// resume lets a lane run again, as if its destination had never failed, and tells
// of it where that changes what was told.
func (s *scheduler) resume(key queue.Lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[key]
	if l == nil {
		return
	}
	changed := !l.pausedUntil.IsZero() || l.health != nil && l.health.told > 0
	l.pausedUntil, l.reason, l.health = time.Time{}, "", nil
	if changed {
		s.tell(l, TopicDestinationResumed, 0)
	}
	s.place(l, time.Now())
}

// task is what take has a worker do for a lane.
type task int

const (
	taskStop    task = iota // there is no lane: the scheduler has stopped
	taskLease               // ask the store for messages, and come back through leased
	taskAttempt             // attempt the one that it has got
	taskTell                // tell the news
	taskTest                // answer the worker's request
	taskRelease             // release those in its batch, which waited too long or may not be attempted now
)

// take is a free worker's turn: it gives back the lane of the attempt it has
// finished, if any, and returns a lane and what to do for it; for taskLease, also
// how many messages to ask for. It waits while there is nothing to do.
func (s *scheduler) take(w *worker, finished *lane) (l *lane, do task, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.searching++
	if finished != nil {
		finished.running--
		s.learn(finished, &w.finding, w.now)
		w.answerTest()
		s.place(finished, w.now)
		if (finished.away || !finished.heldUntil().IsZero()) && !finished.ready.empty() {
			s.leaveRing()
			w.batch = finished.ready.takeAll(w.batch[:0])
			return nil, taskRelease, 0
		}
	}
	if len(s.news) > 0 && !s.telling {
		s.leaveRing()
		s.telling = true
		return nil, taskTell, 0
	}
	for !s.stopped {
		if l := s.takeTest(w); l != nil {
			s.leaveRing()
			return l, taskTest, 0
		}
		l := s.ring.pop()
		if l == nil {
			s.sleep(w)
			w.now = time.Now()
			continue
		}
		l.inRing = false
		if l.pace.bounds() {
			w.now = time.Now()
		}
		if !s.mayRun(l, w.now) { // since it came into the ring
			s.place(l, w.now)
			continue
		}
		s.searching--
		switch {
		case l.ready.empty():
			most = s.leaseAtMost(l, w.now)
			l.leasing, w.room = true, s.rooms.get()
			return l, taskLease, most
		case w.now.Sub(l.ready.since) > heldAtMost:
			w.batch = l.ready.takeAll(w.batch[:0])
			s.place(l, w.now)
			return l, taskRelease, 0
		}
		w.take(&l.ready)
		l.begin(w.now)
		s.place(l, w.now)
		return l, taskAttempt, 0
	}
	s.searching--
	return nil, taskStop, 0
}

// leaveRing has somebody else search the ring, where that is needed: a worker that
// was awake for it has something else to do.
func (s *scheduler) leaveRing() {
	s.searching--
	if s.ring.count > s.searching {
		s.wakeOne()
	}
}

// sleep parks a worker until it is woken to search.
func (s *scheduler) sleep(w *worker) {
	s.searching--
	s.idle = append(s.idle, w)
	w.forget()
	s.mu.Unlock()
	<-w.wake
	s.mu.Lock()
}

// supply is what the store gave a worker for a lane.
type supply struct {
	room *room     // with the messages
	next time.Time // when the store has more; zero: it has none
	pace pace      // of the lane's profile
}

// leased takes what the store gave a worker for a lane. The first message becomes the
// worker's; the others are for those on their way. False: there is none, or the lane is
// held or the scheduler has stopped meanwhile; the worker releases its batch and goes
// back to take.
func (s *scheduler) leased(w *worker, l *lane, from supply) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.leasing = false
	l.due = earlier(from.next, l.dueMeantime)
	l.dueMeantime = time.Time{}
	l.pace, l.paceKnown = from.pace, true
	from.room.inside = len(from.room.messages)
	if from.room.inside == 0 {
		s.rooms.put(from.room)
		s.place(l, w.now)
		return false
	}
	l.ready = readyBuffer{room: from.room, since: w.now}
	ok := !s.stopped && !l.away && l.heldUntil().IsZero()
	if ok {
		w.take(&l.ready)
		l.begin(w.now)
	} else {
		w.batch = l.ready.takeAll(w.batch[:0])
	}
	s.place(l, w.now)
	return ok
}

// leave has messages leave their rooms. They are gone at once: what is in a room with
// them may stay for long.
func (s *scheduler) leave(leases []lease) {
	for _, l := range leases {
		if l.room != nil {
			*l.Leased = queue.Leased{}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range leases {
		s.rooms.leave(l)
	}
}

// mayRun reports whether an attempt may begin in the lane now.
func (s *scheduler) mayRun(l *lane, now time.Time) bool {
	return !l.away && l.heldUntil().IsZero() && s.hasRoom(l) && !l.tokenAt().After(now)
}

// workAt is when the lane has something to attempt; zero: it has nothing.
func (l *lane) workAt() time.Time {
	if !l.ready.empty() {
		return immediately
	}
	return l.due
}

func (s *scheduler) hasRoom(l *lane) bool { return l.running < s.limitOf(l) }

// begin counts an attempt in.
func (l *lane) begin(now time.Time) {
	l.running++
	l.takeToken(now)
}

// leaseAtMost is how many messages to ask the store for: what can run at once
// and, where every worker has work, some for those who finish next. A lane whose
// pace is bounded asks for what it has tokens for; one of which that is not known
// yet, for a single one.
func (s *scheduler) leaseAtMost(l *lane, now time.Time) int {
	if !l.paceKnown {
		return 1
	}
	return l.tokens(now, s.leaseRoom(l))
}

func (s *scheduler) leaseRoom(l *lane) int {
	room := s.limitOf(l) - l.running
	if len(s.idle) == 0 && s.limitOf(l) > 1 {
		return min(room+leaseAhead, 1+leaseAhead)
	}
	return min(room, 1+len(s.idle))
}

// immediately is an instant that is over. It stands for now in what is due, and
// spares asking the clock.
var immediately = time.Unix(0, 0)

// place puts a lane where it belongs: into the ring when a worker could serve
// it, into the heap when that may change with time, and out of memory when
// nothing is known of it.
func (s *scheduler) place(l *lane, now time.Time) {
	if l.inRing || l.leasing {
		return
	}
	if l.quiet {
		l.quiet = false
		s.quiet--
	}
	held, work := l.heldUntil(), l.workAt()
	switch {
	case !held.IsZero():
		s.setLater(l, held)
	case work.IsZero() && l.running == 0 && !l.away:
		s.forget(l, now)
	case work.IsZero() || !s.hasRoom(l) || l.away: // what is under way, or arrives, will place it again
		s.later.remove(l)
	case work.After(now) || l.tokenAt().After(now):
		s.setLater(l, laterOf(work, l.tokenAt()))
	default:
		s.enter(l)
	}
}

// enter puts a lane into the ring, and wakes a worker where too few search it.
func (s *scheduler) enter(l *lane) {
	s.later.remove(l)
	l.inRing = true
	s.ring.push(l)
	if s.ring.count > s.searching {
		s.wakeOne()
	}
}

func (s *scheduler) setLater(l *lane, at time.Time) {
	s.later.set(l, at)
	if s.later.lanes[0].lane == l {
		s.kickClock()
	}
}

// kickClock has the clock look again when it is to wake.
func (s *scheduler) kickClock() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// wakeDue places the lanes whose time has come. It returns when the next lane's
// time comes, zero when there is none, and whether there are news to tell.
func (s *scheduler) wakeDue(now time.Time) (next time.Time, news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.later.lanes) > 0 {
		first := s.later.lanes[0]
		if first.at.After(now) {
			return first.at, len(s.news) > 0
		}
		l := first.lane
		s.later.remove(l)
		if !l.pausedUntil.IsZero() {
			l.pausedUntil, l.reason = time.Time{}, ""
			s.tell(l, TopicDestinationResumed, 0)
		} else if l.health != nil {
			l.health.openUntil = time.Time{}
		}
		s.place(l, now)
	}
	return time.Time{}, len(s.news) > 0
}

// stop makes take return nil, and returns the messages leased for workers.
func (s *scheduler) stop() []lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	var held []lease
	for _, l := range s.lanes {
		held = l.ready.takeAll(held)
	}
	for len(s.idle) > 0 {
		s.wakeOne()
	}
	for _, request := range s.tests {
		request.answer <- testAnswer{err: ErrStopped} // has room
	}
	s.tests = nil
	return held
}

// inFlight counts the attempts under way.
func (s *scheduler) inFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, l := range s.lanes {
		n += l.running
	}
	return n
}

func (s *scheduler) laneOf(key queue.Lane) *lane {
	l := s.lanes[key]
	if l == nil {
		l = &lane{key: key, pickup: isPickup(key), tenant: s.ring.join(key.Profile), heapIndex: -1}
		s.lanes[key] = l
	}
	return l
}

// wakeOne wakes the worker that went idle last.
func (s *scheduler) wakeOne() {
	if last := len(s.idle) - 1; last >= 0 {
		w := s.idle[last]
		s.idle[last] = nil
		s.idle = s.idle[:last]
		s.searching++
		w.wake <- struct{}{} // has room: only an idle worker is sent to, once
	}
}

// earlier returns the earlier of two instants, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

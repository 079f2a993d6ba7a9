package memqueue

import (
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// What a message's log keeps: its first attempts and its latest.
const (
	logFirst  = 10
	logLatest = 40
)

// entry is one attempt in a message's log. The log is a ring: the item points to
// the latest, and the latest to the first.
type entry struct {
	next     *entry
	started  int64 // wall clock
	duration time.Duration
	class    transport.Class
	code     string
	err      string
	note     string
	response string
	n        uint32
	evidence transport.Evidence
	target   uint8
}

// logged adds an attempt to the item's log and sets its number.
func (it *item) logged(a *queue.Attempt) {
	e := &entry{
		started: toWall(a.StartedAt), duration: a.Duration, class: a.Class, evidence: a.Evidence,
		code: a.Code, err: a.Error, note: a.Note, response: string(a.Response), n: 1, target: uint8(a.Target), //nolint:gosec // a message has a few targets
	}
	e.next = e
	if latest := it.log; latest != nil {
		e.n = latest.n + 1
		e.next, latest.next = latest.next, e
	}
	it.log = e
	if e.n > logFirst+logLatest {
		e.dropMiddle()
	}
	it.evidence = max(it.evidence, a.Evidence)
	a.N = int(e.n)
}

// dropMiddle takes the oldest out of the log that is not among the first.
func (e *entry) dropMiddle() {
	last := e
	for range logFirst {
		last = last.next
	}
	last.next = last.next.next
}

// history returns a copy of the log, oldest first.
func (it *item) history() []queue.Attempt {
	if it.log == nil {
		return nil
	}
	log := make([]queue.Attempt, 0, min(it.log.n, logFirst+logLatest))
	for e := it.log.next; ; e = e.next {
		log = append(log, e.attempt())
		if e == it.log {
			return log
		}
	}
}

func (e *entry) attempt() queue.Attempt {
	a := queue.Attempt{
		N: int(e.n), StartedAt: fromWall(e.started), Duration: e.duration, Class: e.class, Evidence: e.evidence,
		Code: e.code, Error: e.err, Note: e.note, Target: int(e.target),
	}
	if e.response != "" {
		a.Response = []byte(e.response)
	}
	return a
}

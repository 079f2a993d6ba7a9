package sqlitequeue

import "github.com/outrider-go/outrider/queue"

// status is what the database keeps of a record's state. That it is leased is
// known in memory alone: leases end with the process.
type status int64

// The statuses. Their numbers are in the files of released versions.
const (
	fresh     status = iota // due since it was enqueued: in the log, and in memory
	waiting                 // due at an instant; memory may have it, too
	blocked                 // behind the one that has the turn of its ordering key
	parked                  // until it is picked up
	delivered               // done, as all that follow
	dead
	cancelled
	expired
)

func (s status) done() bool { return s >= delivered }

func (s status) result() queue.Result {
	switch s {
	case delivered:
		return queue.Delivered
	case dead:
		return queue.Dead
	case cancelled:
		return queue.Cancelled
	case expired:
		return queue.Expired
	default:
		return ""
	}
}

// statusOf is the opposite of result; fresh stands for none.
func statusOf(r queue.Result) status {
	for s := delivered; s <= expired; s++ {
		if s.result() == r {
			return s
		}
	}
	return fresh
}

// The flags of a row.
const (
	flagCancelled = 1 << iota // while it was leased
	flagSkipped               // it gave up its turn until it is due
)

// levels are the priorities, the highest first.
const levels = 3

func priorityOf(level int) queue.Priority {
	if level < 0 || level >= levels {
		return queue.PriorityNormal // it is damaged: see Check
	}
	return [levels]queue.Priority{queue.PriorityHigh, queue.PriorityNormal, queue.PriorityLow}[level]
}

func levelOf(p queue.Priority) int {
	switch {
	case p > queue.PriorityNormal:
		return 0
	case p < queue.PriorityNormal:
		return 2
	default:
		return 1
	}
}

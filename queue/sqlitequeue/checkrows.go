package sqlitequeue

import (
	"context"
	"errors"
	"fmt"

	"github.com/outrider-go/outrider/queue"
)

// The faults of a message, beside errDamaged.
var (
	errNoLane    = errors.New("its lane is not there")
	errNoContent = errors.New("its content is not there")
)

// progressStep is after how many messages Progress is called.
const progressStep = 1000

// checkMessages looks at each message, in the order of the ids.
func (k *checker) checkMessages(ctx context.Context) error {
	var done, total int64
	for id := range k.stored {
		t := k.stored[id]
		total += max(0, t.records())
	}
	w, err := newWalker(ctx, k.c)
	if err != nil {
		return err
	}
	for {
		e, err := w.next(ctx)
		if err != nil || e == nil {
			k.Unreadable = w.faults
			return err
		}
		if err := k.checkEntry(w, e); err != nil {
			return err
		}
		if done++; done%progressStep == 0 {
			k.options.Progress(done, max(done, total))
		}
	}
}

// checkEntry looks at one message.
func (k *checker) checkEntry(w *walker, e *entry) error {
	key, known := k.lanes[e.lane]
	if !known {
		k.damaged(&e.row, fmt.Errorf("%w (lane %d)", errNoLane, e.lane), false)
	}
	k.countRow(e)
	fault, err := e.check(w, key)
	if err != nil {
		return err
	}
	if fault != nil {
		k.damaged(&e.row, fault, true)
	}
	var last queue.Attempt
	if readAttempt(e.last, &last) != nil { // one that says nothing is empty
		k.damaged(&e.row, fmt.Errorf("the latest attempt of its log: %w", errDamaged), false)
	}
	return nil
}

// check says what is wrong with a message, its log aside.
func (e *entry) check(w *walker, key queue.Lane) (fault, err error) {
	m, fault := e.message(key)
	switch {
	case e.damage != nil:
		return errDamaged, nil
	case fault != nil:
		return fault, nil
	case e.level < 0 || e.level >= levels || e.status < fresh || e.status > expired:
		return fmt.Errorf("%w: priority or status", errDamaged), nil
	case m.Target < 0 || m.Target > 0 && m.Target >= len(m.Targets):
		return fmt.Errorf("%w: it has no target %d", errDamaged, m.Target), nil
	case hashOf(m.OrderingKey) != e.turn:
		return fmt.Errorf("%w: its ordering key", errDamaged), nil
	case e.place == inHistory:
		return nil, nil
	}
	return w.content(e, &m)
}

// checkContent looks at what only an attempt needs. Of a delivered message it may
// be gone.
func (e *entry) checkContent(m *queue.Message, found bool) error {
	switch {
	case !found && e.status == delivered:
		return nil
	case !found:
		return errNoContent
	case e.sum != sumOf(m.ID, e.head, e.secret, e.body):
		return errDamaged
	default:
		return readSecret(e.secret, m)
	}
}

// countRow counts a message for its lane and its ordering key.
func (k *checker) countRow(e *entry) {
	if e.status < fresh || e.status > expired {
		return
	}
	t := k.counted[e.lane]
	if t == nil {
		t = &tally{}
		k.counted[e.lane] = t
	}
	t.add(&e.row, 1)
	if e.isLost() {
		k.Lost++
	}
	if e.turn != 0 && e.status < parked {
		holds := 0
		if e.status != blocked {
			holds = 1
		}
		k.turns[turnKey{e.lane, e.turn}] += holds
	}
}

// isLost reports whether a message waits in the tables and is not in the index of
// those that do.
func (e *entry) isLost() bool {
	return e.place == inTables && (e.status == fresh || e.status == waiting && e.due == 0)
}

// damaged reports a message. Content says whether it can be delivered no more.
func (k *checker) damaged(r *row, fault error, content bool) {
	_, known := k.lanes[r.lane]
	k.Damaged = append(k.Damaged, Damage{
		ID: r.id(), Result: r.status.result(), Fault: fault.Error(), seq: r.seq, ends: content && known && !r.status.done(),
	})
}

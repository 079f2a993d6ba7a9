package sqlitequeue

import (
	"encoding/binary"

	"github.com/outrider-go/outrider/queue"
)

// tally counts a lane's records. That some are leased is not in it.
type tally struct {
	pending, retry int64 // not done; with attempts: retry
	bytes          int64 // of those
	done           [4]int64
	held           [4]int64 // bytes that each result counts against a retention
}

func (t *tally) waiting() int64 { return t.pending + t.retry }

func (t *tally) records() int64 {
	n := t.waiting()
	for _, done := range t.done {
		n += done
	}
	return n
}

// add counts a row, n times.
func (t *tally) add(r *row, n int64) {
	if r.status.done() {
		t.done[r.status-delivered] += n
		if r.status != delivered {
			t.held[r.status-delivered] += n * r.bytes
		}
		return
	}
	t.bytes += n * r.bytes
	if r.state() == queue.StateRetry {
		t.retry += n
	} else {
		t.pending += n
	}
}

// plus adds another tally to this one.
func (t *tally) plus(other *tally, n int64) {
	for i, field := range t.fields() {
		*field += n * *other.fields()[i]
	}
}

func (t *tally) fields() [11]*int64 {
	return [...]*int64{
		&t.pending, &t.retry, &t.bytes,
		&t.done[0], &t.done[1], &t.done[2], &t.done[3], &t.held[0], &t.held[1], &t.held[2], &t.held[3],
	}
}

// appendTally writes a lane's tally: its id, and the counts.
func appendTally(to []byte, lane int64, t *tally) []byte {
	to = binary.AppendVarint(to, lane)
	for _, field := range t.fields() {
		to = binary.AppendVarint(to, *field)
	}
	return to
}

// readTallies reads what appendTally has written, any number of times.
func readTallies(from []byte, each func(lane int64, t tally)) error {
	var bad bool
	next := func() int64 {
		v, n := binary.Varint(from)
		if n <= 0 {
			bad, from = true, nil
			return 0
		}
		from = from[n:]
		return v
	}
	for len(from) > 0 {
		id := next()
		var t tally
		for _, field := range t.fields() {
			*field = next()
		}
		if bad {
			return errDamaged
		}
		each(id, t)
	}
	return nil
}

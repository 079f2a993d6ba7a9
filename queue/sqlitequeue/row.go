package sqlitequeue

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// row is a message as the database has it, without content and attempts.
type row struct {
	seq, prefix      int64
	lane             int64
	level            int
	status           status
	flags            int64
	due              int64 // tick
	expires          int64 // wall clock, as the three that follow
	created          int64
	queued           int64
	updated          int64
	attempts, logged int64
	replays          int64
	evidence         int64
	bytes            int64
	target           int64
	turn             int64 // 0: it has no ordering key
	told, lastError  string
	head             []byte
}

const rowColumns = "seq, prefix, lane, level, status, flags, due, expires, created, queued, updated, " +
	"attempts, logged, replays, evidence, bytes, target, turn, told, error, head"

func readRow(values []driver.Value) row {
	r := row{
		seq: integer(values[0]), prefix: integer(values[1]), lane: integer(values[2]), level: int(integer(values[3])),
		status: status(integer(values[4])), flags: integer(values[5]), due: integer(values[6]), expires: integer(values[7]),
		created: integer(values[8]), queued: integer(values[9]), updated: integer(values[10]),
		attempts: integer(values[11]), logged: integer(values[12]), replays: integer(values[13]), evidence: integer(values[14]),
		bytes: integer(values[15]), target: integer(values[16]), turn: integer(values[17]),
		told: text(values[18]), lastError: text(values[19]), head: blob(values[20]),
	}
	r.setDefaults()
	return r
}

// mend makes a level and a status that there are of damaged ones: the normal level,
// and the status of what is kept for replay.
func (r *row) mend() {
	r.level = knownLevel(r.level)
	if r.status < fresh || r.status > expired {
		r.status = dead
	}
}

func knownLevel(n int) int {
	if n < 0 || n >= levels {
		return levelOf(queue.PriorityNormal)
	}
	return n
}

// setDefaults sets what is left out where it is as it mostly is.
func (r *row) setDefaults() {
	if r.queued == 0 {
		r.queued = r.created
	}
	if r.updated == 0 {
		r.updated = r.created
	}
	if r.told == "" {
		r.told = queue.StatusQueued
	}
}

// toldOrNull is the column told: mostly nothing.
func toldOrNull(told string) any {
	if told == queue.StatusQueued {
		return nil
	}
	return told
}

// rows reads the rows that a condition selects.
func (c *conn) rows(condition string, each func(row) error, args ...any) error {
	return c.query("SELECT "+rowColumns+" FROM message "+condition, func(values []driver.Value) error {
		r := readRow(values)
		r.mend()
		return each(r)
	}, args...)
}

// row reads one row; found says whether there is one.
func (c *conn) row(seq int64) (r row, found bool, err error) {
	err = c.rows("WHERE seq = ?", func(each row) error {
		r, found = each, true
		return nil
	}, seq)
	return r, found, err
}

// The halves of an id.
func prefixOf(id transport.ID) int64 { return int64(binary.BigEndian.Uint64(id[:8])) } //nolint:gosec // the same bits
func seqOf(id transport.ID) int64    { return int64(id.Sequence()) }                   //nolint:gosec // 62 bits

// variant are the bits of an id that neither half has.
const variant = 1 << 63

func idOf(prefix, seq int64) transport.ID {
	var id transport.ID
	binary.BigEndian.PutUint64(id[:8], uint64(prefix))      //nolint:gosec // the same bits
	binary.BigEndian.PutUint64(id[8:], uint64(seq)|variant) //nolint:gosec // as above
	return id
}

func (r *row) id() transport.ID { return idOf(r.prefix, r.seq) }

// state is what it is when it is not leased.
func (r *row) state() queue.State {
	switch {
	case r.status.done():
		return queue.StateDone
	case r.attempts > 0 && r.status != parked:
		return queue.StateRetry
	default:
		return queue.StatePending
	}
}

// hasExpired reports whether nothing but Expire may take the row any more.
func (r *row) hasExpired(now instant) bool { return r.expires != 0 && r.expires <= now.wall }

// message returns the message without its content.
func (r *row) message(key queue.Lane) (queue.Message, error) {
	m := queue.Message{
		ID: r.id(), Lane: key, ExpiresAt: fromWall(r.expires), Priority: priorityOf(r.level), Target: int(r.target),
	}
	if err := readHead(r.head, &m); err != nil {
		return m, fmt.Errorf("message %s: %w", m.ID, err)
	}
	return m, nil
}

// record returns the record as it is when it is not leased. One whose head is
// damaged shows without it.
func (r *row) record(key queue.Lane, now instant) queue.Record {
	m, _ := r.message(key) // whoever delivers it looks at it again
	record := queue.Record{
		Message: m, State: r.state(), Result: r.status.result(), Status: r.told,
		Evidence: transport.Evidence(r.evidence), Attempts: int(r.attempts), Replays: int(r.replays), //nolint:gosec // as written
		CreatedAt: fromWall(r.created), QueuedAt: fromWall(r.queued), UpdatedAt: fromWall(r.updated),
		LastError: r.lastError, Bytes: r.bytes, Behind: r.status == blocked,
	}
	switch r.status {
	case fresh:
		record.NextAt = record.CreatedAt
	case waiting, blocked:
		record.NextAt = now.timeOf(r.due).Round(0) // shown, not waited for: the wall clock will do
	default:
	}
	return record
}

// addContent reads what only an attempt needs into a message, and checks that it
// is what was written.
func (c *conn) addContent(m *queue.Message, head []byte) error {
	found := false
	err := c.query("SELECT sum, secret, body FROM content WHERE seq = ?", func(values []driver.Value) error {
		found = true
		secret, body := blob(values[1]), blob(values[2])
		if integer(values[0]) != sumOf(m.ID, head, secret, body) {
			return errDamaged
		}
		m.Payload = body
		return readSecret(secret, m)
	}, seqOf(m.ID))
	if err == nil && !found {
		err = errDamaged
	}
	if err != nil && !isDamaged(err) {
		return err
	}
	if err != nil {
		return fmt.Errorf("message %s: %w", m.ID, err)
	}
	return nil
}

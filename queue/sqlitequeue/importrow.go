package sqlitequeue

import (
	"encoding/binary"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/outrider-go/outrider/queue"
)

// add writes the rows of a message.
func (i *Importer) add(s *Saved) error {
	l, err := i.lane(s.Lane)
	if err != nil {
		return err
	}
	r := s.row(l.id)
	if r.turn != 0 && r.status == waiting {
		i.compete(&r, s.Turn)
	}
	if err := i.insert(&r, s); err != nil {
		return err
	}
	l.add(&r, 1)
	if r.seq > seqOf(i.newest) {
		i.newest = s.ID
	}
	return i.addKey(&s.Message, &r)
}

// row makes the row of a message. What has an ordering key and waits is blocked,
// until all are there.
func (s *Saved) row(lane int64) row {
	m := &s.Message
	r := row{
		seq: seqOf(m.ID), prefix: prefixOf(m.ID), lane: lane, level: levelOf(m.Priority), status: statusOf(s.Result),
		due: toWall(s.NextAt), expires: toWall(m.ExpiresAt), created: toWall(s.CreatedAt), queued: toWall(s.QueuedAt), updated: toWall(s.UpdatedAt),
		attempts: int64(s.Attempts), replays: int64(s.Replays), evidence: int64(s.Evidence),
		bytes: s.Bytes, target: int64(m.Target), turn: hashOf(m.OrderingKey), told: s.Status, lastError: s.LastError, head: appendHead([]byte{}, m),
	}
	if len(s.Log) > 0 {
		r.logged = int64(s.Log[len(s.Log)-1].N)
	}
	if s.Cancelled {
		r.flags |= flagCancelled
	}
	if s.Aside {
		r.flags |= flagSkipped
	}
	switch {
	case r.status.done():
		r.due = 0
	case s.Parked:
		r.status, r.due = parked, 0
	default:
		r.status = waiting
		if r.due == 0 {
			r.due = r.created
		}
	}
	return r
}

// compete has a row stand for the turn of its ordering key. Until all are there it
// is blocked.
func (i *Importer) compete(r *row, had bool) {
	key, one := turnKey{r.lane, r.turn}, importTurn{contenderOf(r), had}
	r.status = blocked
	at := i.turns[key]
	switch {
	case at == nil:
		i.turns[key] = &one
	case had != at.had:
		if had {
			*at = one
		}
	case one.before(&at.contender, nowWall()):
		*at = one
	}
}

// insert writes a row, its content and its log.
func (i *Importer) insert(r *row, s *Saved) error {
	var last []byte
	for n := range s.Log {
		entry := appendAttempt([]byte{}, &s.Log[n])
		if n == len(s.Log)-1 {
			last = entry
		} else if err := i.c.exec("INSERT INTO attempt (seq, n, entry) VALUES (?, ?, ?)", r.seq, s.Log[n].N, entry); err != nil {
			return err
		}
	}
	var fault, latest any
	told := toldOrNull(r.told)
	if r.lastError != "" {
		fault = r.lastError
	}
	if last != nil {
		latest = last
	}
	if err := i.c.exec("INSERT INTO message (seq, prefix, lane, level, status, flags, due, expires, created, queued, updated, "+
		"attempts, logged, replays, evidence, bytes, target, turn, told, error, head, last) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		r.seq, r.prefix, r.lane, r.level, int64(r.status), r.flags, orNull(r.due), orNull(r.expires), r.created, orNull(r.queued), orNull(r.updated),
		r.attempts, r.logged, r.replays, r.evidence, r.bytes, r.target, orNull(r.turn), told, fault, r.head, latest); err != nil {
		return err
	}
	if r.status == delivered || s.Fault != "" {
		return nil
	}
	secret := appendSecret([]byte{}, &s.Message)
	err := i.c.exec("INSERT INTO content (seq, sum, secret, body) VALUES (?, ?, ?, ?)", r.seq, sumOf(s.ID, r.head, secret, s.Payload), secret, s.Payload)
	return err
}

// addKey has an idempotency key known as long as if the message had been enqueued
// here.
func (i *Importer) addKey(m *queue.Message, r *row) error {
	if m.IdempotencyKey == "" {
		return nil
	}
	if i.keys.at != r.created {
		if err := i.writeKeys(); err != nil {
			return err
		}
	}
	i.keys.at = r.created
	hash, _ := keyHash(m)
	i.keys.pairs = binary.BigEndian.AppendUint64(i.keys.pairs, hash)
	i.keys.pairs = binary.BigEndian.AppendUint64(i.keys.pairs, uint64(r.seq)) //nolint:gosec // 62 bits
	return nil
}

func (i *Importer) writeKeys() error {
	if len(i.keys.pairs) == 0 {
		return nil
	}
	err := i.c.exec("INSERT INTO keys (at, pairs) VALUES (?, ?)", i.keys.at, i.keys.pairs)
	i.keys.pairs = i.keys.pairs[:0]
	return err
}

// isDuplicate reports whether an error says that there is such a row.
func isDuplicate(err error) bool {
	return code(err) == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || code(err) == sqlite3.SQLITE_CONSTRAINT_ROWID
}

package sqlitequeue

import (
	"context"
	"fmt"

	"github.com/outrider-go/outrider/queue"
)

// Enqueue implements queue.Store. It returns once the batch is on disk, together
// with those of other callers.
func (s *Store) Enqueue(ctx context.Context, batch []queue.Message) ([]queue.Enqueued, error) {
	var bytes int64
	for i := range batch {
		if batch[i].ID.IsZero() {
			return nil, fmt.Errorf("enqueue: message %d of the batch has no id: take one from NewID", i+1)
		}
		bytes += batch[i].Size()
	}
	if _, err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.users.Done()
	if len(batch) == 0 {
		return nil, nil
	}
	o := s.newOp()
	defer s.pool.Put(o)
	o.batch, o.enqueued, o.bytes = batch, make([]queue.Enqueued, len(batch)), bytes
	if err := s.submit(o); err != nil {
		return nil, err
	}
	return o.enqueued, nil
}

// enqueue adds the messages of an op.
func (t *tx) enqueue(o *op) error {
	for i := range o.batch {
		enqueued, err := t.add(&o.batch[i])
		if err != nil {
			return err
		}
		o.enqueued[i] = enqueued
	}
	return nil
}

// add keeps a message, unless it is known.
func (t *tx) add(m *queue.Message) (queue.Enqueued, error) {
	if known, err := t.known(m); err != nil || known.Duplicate {
		return known, err
	}
	l, err := t.lane(m.Lane)
	if err != nil {
		return queue.Enqueued{}, err
	}
	t.s.ids.used(m.ID)
	it := &item{row: t.newRow(m, l), message: *m, lane: l}
	if err := t.join(&it.row); err != nil {
		return queue.Enqueued{}, err
	}
	t.place(it)
	t.count(l, &it.row, 1)
	t.addKey(m)
	if it.status == fresh {
		t.accept(it)
		return queue.Enqueued{ID: m.ID, Status: queue.StatusQueued}, nil
	}
	t.rows.add(it)
	if it.status == waiting {
		t.after = append(t.after, func() { l.spill(&it.row) })
	}
	if t.rows.full() {
		return queue.Enqueued{ID: m.ID, Status: queue.StatusQueued}, t.flush()
	}
	return queue.Enqueued{ID: m.ID, Status: queue.StatusQueued}, nil
}

func (t *tx) newRow(m *queue.Message, l *lane) row {
	return row{
		seq: seqOf(m.ID), prefix: prefixOf(m.ID), lane: l.id, level: levelOf(m.Priority),
		due: t.now.tickOf(m.NotBefore), expires: toWall(m.ExpiresAt), created: t.now.wall, queued: t.now.wall, updated: t.now.wall,
		bytes: m.Size(), target: int64(m.Target), turn: hashOf(m.OrderingKey), told: queue.StatusQueued, head: appendHead([]byte{}, m),
	}
}

// place decides where a new message waits. One that is due at once, and for which
// there is room in memory and nothing before it that is not, is fresh.
func (t *tx) place(it *item) {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	level := &it.lane.levels[it.level]
	switch {
	case it.status == blocked:
	case it.due <= t.now.tick && s.bytes < s.options.WindowBytes &&
		level.ready.count < s.options.Window && !level.hasSpilled(t.now.tick):
		it.status = fresh
	default:
		it.status = waiting
	}
}

// known returns the message that another is a duplicate of.
func (t *tx) known(m *queue.Message) (queue.Enqueued, error) {
	if m.IdempotencyKey != "" {
		known, err := t.knownBy(m)
		if err != nil || known.Duplicate {
			return known, err
		}
	}
	if t.s.ids.isNew(m.ID) {
		return queue.Enqueued{}, nil
	}
	return t.duplicate(seqOf(m.ID), nil)
}

// knownBy returns the message with the same key, also where it is gone.
func (t *tx) knownBy(m *queue.Message) (queue.Enqueued, error) {
	hash, rest := keyHash(m)
	seq, ok := t.s.keep.known.find(hash, t.now)
	if !ok {
		return queue.Enqueued{}, nil
	}
	known, err := t.duplicate(seq, m)
	if err != nil || known.Duplicate {
		return known, err
	}
	return t.goneMessage(seq, rest)
}

// duplicate looks at the row that may be the same message, or, where like is
// given, one with the same key.
func (t *tx) duplicate(seq int64, like *queue.Message) (queue.Enqueued, error) {
	r, found, err := t.lookUp(seq)
	if err != nil || !found {
		return queue.Enqueued{}, err
	}
	enqueued := queue.Enqueued{ID: r.id(), Duplicate: true, Status: r.told}
	if like == nil {
		return enqueued, nil
	}
	known, err := r.message(t.s.laneOf(&r).key)
	if err != nil || known.IdempotencyKey != like.IdempotencyKey || known.Lane.Profile != like.Lane.Profile {
		return queue.Enqueued{}, nil //nolint:nilerr // one that is damaged is not known to be the same
	}
	return enqueued, nil
}

// lookUp finds a row wherever it is, in this transaction too.
func (t *tx) lookUp(seq int64) (row, bool, error) {
	for _, it := range t.fresh {
		if it.seq == seq {
			return it.row, true, nil
		}
	}
	if err := t.flush(); err != nil {
		return row{}, false, err
	}
	return t.s.lookUp(t.c, seq)
}

// lookUp finds a row wherever it is. A message goes from the log into the tables or
// the history, so that whoever looks for one looks into the log first.
func (s *Store) lookUp(c *conn, seq int64) (row, bool, error) {
	if r, found := s.logRow(seq); found {
		return r, true, nil
	}
	if r, found, err := c.row(seq); err != nil || found {
		return r, found, err
	}
	r, found, err := s.deliveredRecord(c, seq)
	return r.row, found, err
}

// lane returns a lane, which it makes where it is new.
func (t *tx) lane(key queue.Lane) (*lane, error) {
	s := t.s
	s.mu.Lock()
	l := s.lanes[key]
	s.mu.Unlock()
	if l != nil {
		return l, nil
	}
	if err := t.c.exec("INSERT INTO lane (profile, destination) VALUES (?, ?)", key.Profile, key.Destination); err != nil {
		return nil, err
	}
	id, err := t.c.number("SELECT last_insert_rowid()")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	l = s.addLane(key, id)
	s.mu.Unlock()
	t.undo = append(t.undo, func() { s.dropLane(l) })
	return l, nil
}

// addLane and dropLane need the store's lock.
func (s *Store) addLane(key queue.Lane, id int64) *lane {
	l := &lane{key: key, id: id}
	s.lanes[key], s.byID[id], s.sorted = l, l, nil
	return l
}

func (s *Store) dropLane(l *lane) {
	delete(s.lanes, l.key)
	delete(s.byID, l.id)
	s.sorted = nil
}

// rowBuffer gathers rows: to insert many at once takes half the time.
type rowBuffer struct {
	items []*item
	args  []any
}

// The numbers of rows that are inserted at once.
const (
	manyRows = 32
	someRows = 8
)

func (b *rowBuffer) add(it *item) { b.items = append(b.items, it) }
func (b *rowBuffer) full() bool   { return len(b.items) >= manyRows }

// flush writes the rows that have been gathered.
func (t *tx) flush() error {
	for items := t.rows.items; len(items) > 0; {
		n := 1
		if len(items) >= manyRows {
			n = manyRows
		} else if len(items) >= someRows {
			n = someRows
		}
		if err := t.insert(items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	clear(t.rows.items)
	t.rows.items = t.rows.items[:0]
	return nil
}

func (t *tx) insert(items []*item) error {
	query := insertRows(len(items))
	args := t.rows.args[:0]
	for _, it := range items {
		args = append(args, it.values()...)
	}
	if err := t.c.exec(query.message, args...); err != nil {
		return err
	}
	args = args[:0]
	for _, it := range items {
		secret := appendSecret([]byte{}, &it.message)
		args = append(args, it.seq, sumOf(it.message.ID, it.head, secret, it.message.Payload), secret, it.message.Payload)
	}
	t.rows.args = args
	err := t.c.exec(query.content, args...)
	return err
}

// values are the columns of an insertQuery.
func (r *row) values() []any {
	return []any{
		r.seq, r.prefix, r.lane, r.level, int64(r.status), r.due, orNull(r.expires), r.created, r.bytes, r.target, orNull(r.turn), r.head,
	}
}

func orNull(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// insertQuery are the statements that insert a number of messages.
type insertQuery struct{ message, content string }

func insertRows(n int) insertQuery {
	switch n {
	case manyRows:
		return insertMany
	case someRows:
		return insertSome
	default:
		return insertOne
	}
}

var (
	insertMany = newInsertQuery(manyRows)
	insertSome = newInsertQuery(someRows)
	insertOne  = newInsertQuery(1)
)

// newInsertQuery makes them for n messages. A fault ends the transaction anyway; OR
// FAIL spares SQLite the copy of each page that undoes a statement alone.
func newInsertQuery(n int) insertQuery {
	message := "INSERT OR FAIL INTO message (seq, prefix, lane, level, status, due, expires, created, bytes, target, turn, head) VALUES "
	content := "INSERT OR FAIL INTO content (seq, sum, secret, body) VALUES "
	for i := range n {
		if i > 0 {
			message, content = message+", ", content+", "
		}
		message += "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		content += "(?, ?, ?, ?)"
	}
	return insertQuery{message, content}
}

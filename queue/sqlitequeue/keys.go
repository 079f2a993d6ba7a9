package sqlitequeue

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// knownKeys are the idempotency keys that are known: a hash of each, with its
// message's seq. Where the message is gone, the table gone has the rest. Keys are
// dropped by the run, which is what one transaction has added.
type knownKeys struct {
	lifetime time.Duration
	max      int
	seqs     map[uint64]int64
	runs     []keyRun // oldest first
	count    int      // in the runs
	spent    []keyRun // that are forgotten and still in the database
}

// keyRun is a row of the table keys.
type keyRun struct {
	n, at     int64
	pairs     []byte
	forgotten int // keys, the first
}

const pairBytes = 16

func (r *keyRun) keys() int { return len(r.pairs) / pairBytes }

func (r *keyRun) key(i int) (hash uint64, seq int64) {
	pair := r.pairs[i*pairBytes:]
	return binary.BigEndian.Uint64(pair), int64(binary.BigEndian.Uint64(pair[8:])) //nolint:gosec // 62 bits
}

func (k *knownKeys) find(hash uint64, now instant) (int64, bool) {
	k.forget(now)
	seq, ok := k.seqs[hash]
	return seq, ok
}

// add adds a run that has been written.
func (k *knownKeys) add(run keyRun, now instant) {
	k.runs = append(k.runs, run)
	k.count += run.keys()
	for i := range run.keys() {
		hash, seq := run.key(i)
		k.seqs[hash] = seq
	}
	k.forget(now)
}

// forget forgets the keys that are too old, or too many.
func (k *knownKeys) forget(now instant) {
	for len(k.runs) > 0 {
		run := &k.runs[0]
		for run.forgotten < run.keys() && (now.wall-run.at >= int64(k.lifetime) || k.count > k.max) {
			if hash, seq := run.key(run.forgotten); k.seqs[hash] == seq {
				delete(k.seqs, hash)
			}
			run.forgotten++
			k.count--
		}
		if run.forgotten < run.keys() {
			return
		}
		k.spent = append(k.spent, *run)
		*run = keyRun{}
		k.runs = k.runs[1:]
	}
}

// addKey has a message's key known, from this transaction on.
func (t *tx) addKey(m *queue.Message) {
	if m.IdempotencyKey == "" {
		return
	}
	hash, _ := keyHash(m)
	seq := seqOf(m.ID)
	known := &t.s.keep.known
	before, was := known.seqs[hash]
	known.seqs[hash] = seq
	t.undo = append(t.undo, func() {
		if delete(known.seqs, hash); was {
			known.seqs[hash] = before
		}
	})
	t.keys = binary.BigEndian.AppendUint64(t.keys, hash)
	t.keys = binary.BigEndian.AppendUint64(t.keys, uint64(seq)) //nolint:gosec // 62 bits
}

// outlive has the key of a message known that is about to be removed, as long as
// if it were not.
func (t *tx) outlive(r *row, l *lane) error {
	known := &t.s.keep.known
	if len(known.seqs) == 0 || t.now.wall-r.created >= int64(known.lifetime) {
		return nil
	}
	m, err := r.message(l.key)
	if err != nil || m.IdempotencyKey == "" {
		return nil //nolint:nilerr // the key of one that is damaged is not known
	}
	hash, rest := keyHash(&m)
	if known.seqs[hash] != r.seq {
		return nil
	}
	return t.c.exec("INSERT OR REPLACE INTO gone (seq, prefix, key, told) VALUES (?, ?, ?, ?)", r.seq, r.prefix, rest, toldOrNull(r.told))
}

// goneMessage returns the message of a key that is known, once it is gone.
func (t *tx) goneMessage(seq, rest int64) (queue.Enqueued, error) {
	var known queue.Enqueued
	err := t.c.query("SELECT prefix, told FROM gone WHERE seq = ? AND key = ?", func(v []driver.Value) error {
		r := row{seq: seq, prefix: integer(v[0]), told: text(v[1])}
		r.setDefaults()
		known = queue.Enqueued{ID: r.id(), Duplicate: true, Status: r.told}
		return nil
	}, seq, rest)
	return known, err
}

// dropKeys drops keys that are forgotten, and what is known of their messages.
func (t *tx) dropKeys() error {
	known := &t.s.keep.known
	var seqs []int64
	n := 0
	for ; n < len(known.spent) && len(seqs) < keysAtOnce; n++ {
		for i := range known.spent[n].keys() {
			_, seq := known.spent[n].key(i)
			seqs = append(seqs, seq)
		}
	}
	if n == 0 {
		return nil
	}
	if err := inRanges(seqs, func(first, last int64) error {
		return t.c.exec("DELETE FROM gone WHERE seq BETWEEN ? AND ?", first, last)
	}); err != nil {
		return err
	}
	t.after = append(t.after, func() { known.spent = slices.Delete(known.spent, 0, n) })
	return t.c.exec("DELETE FROM keys WHERE n <= ?", known.spent[n-1].n)
}

// writeKeys writes the keys that the transaction has added.
func (t *tx) writeKeys() error {
	if len(t.keys) == 0 {
		return nil
	}
	if err := t.c.exec("INSERT INTO keys (at, pairs) VALUES (?, ?)", t.now.wall, t.keys); err != nil {
		return err
	}
	n, err := t.c.number("SELECT last_insert_rowid()")
	if err != nil {
		return err
	}
	t.after = append(t.after, func() { t.s.keep.known.add(keyRun{n: n, at: t.now.wall, pairs: t.keys}, t.now) })
	return nil
}

// keyHash is the hash of a message's profile and idempotency key, and the rest of
// it, which tells keys apart whose hash is the same.
func keyHash(m *queue.Message) (hash uint64, rest int64) {
	sum := sumOfKey(m.Lane.Profile, m.IdempotencyKey)
	return binary.BigEndian.Uint64(sum[:8]), int64(binary.BigEndian.Uint64(sum[8:16])) //nolint:gosec // the same bits
}

// hashOf is the hash of an ordering key; 0 is none.
func hashOf(key string) int64 {
	if key == "" {
		return 0
	}
	sum := sumOfKey("", key)
	return int64(binary.BigEndian.Uint64(sum[:8]) | 1) //nolint:gosec // the same bits
}

// sumOfKey is the same in every process, and nobody can make keys that share one.
func sumOfKey(scope, key string) [sha256.Size]byte {
	text := make([]byte, 0, 256)
	text = append(binary.AppendUvarint(text, uint64(len(scope))), scope...)
	return sha256.Sum256(append(text, key...))
}

package sqlitequeue

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// knownKeys are the idempotency keys that are known: a hash of each, with its
// message's seq. They are forgotten by the run, which is what one transaction has
// added.
type knownKeys struct {
	lifetime time.Duration
	max      int
	seqs     map[uint64]int64
	runs     []keyRun // oldest first
	count    int      // in the runs
	last     int64    // the row of the latest run
}

// keyRun is a row of the table keys.
type keyRun struct {
	n, at int64
	pairs []byte
}

const pairBytes = 16

func (k *knownKeys) find(hash uint64, now instant) (int64, bool) {
	k.forget(now)
	seq, ok := k.seqs[hash]
	return seq, ok
}

// add adds a run that has been written.
func (k *knownKeys) add(run keyRun, now instant) {
	k.runs = append(k.runs, run)
	k.last = run.n
	k.count += len(run.pairs) / pairBytes
	for pairs := run.pairs; len(pairs) >= pairBytes; pairs = pairs[pairBytes:] {
		k.seqs[binary.BigEndian.Uint64(pairs)] = int64(binary.BigEndian.Uint64(pairs[8:])) //nolint:gosec // 62 bits
	}
	k.forget(now)
}

// forget drops the runs that are too old, or too many.
func (k *knownKeys) forget(now instant) {
	for len(k.runs) > 0 {
		run := &k.runs[0]
		if now.wall-run.at < int64(k.lifetime) && k.count <= k.max {
			return
		}
		for pairs := run.pairs; len(pairs) >= pairBytes; pairs = pairs[pairBytes:] {
			hash := binary.BigEndian.Uint64(pairs)
			if k.seqs[hash] == int64(binary.BigEndian.Uint64(pairs[8:])) { //nolint:gosec // 62 bits
				delete(k.seqs, hash)
			}
		}
		k.count -= len(run.pairs) / pairBytes
		*run = keyRun{}
		k.runs = k.runs[1:]
	}
}

// addKey has a message's key known, from this transaction on.
func (t *tx) addKey(m *queue.Message) {
	if m.IdempotencyKey == "" {
		return
	}
	hash, seq := keyHash(m), seqOf(m.ID)
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

// keyHash is the hash of a message's profile and idempotency key.
func keyHash(m *queue.Message) uint64 { return hash(m.Lane.Profile, m.IdempotencyKey) }

// hashOf is the hash of an ordering key; 0 is none.
func hashOf(key string) int64 {
	if key == "" {
		return 0
	}
	return int64(hash("", key) | 1) //nolint:gosec // the same bits
}

// hash is the same in every process, and nobody can make keys that share one.
func hash(scope, key string) uint64 {
	text := make([]byte, 0, 256)
	text = append(binary.AppendUvarint(text, uint64(len(scope))), scope...)
	sum := sha256.Sum256(append(text, key...))
	return binary.BigEndian.Uint64(sum[:])
}

// oldest is the row of the oldest run that is known; rows before it can go.
func (k *knownKeys) oldest() int64 {
	if len(k.runs) == 0 {
		return k.last + 1
	}
	return k.runs[0].n
}

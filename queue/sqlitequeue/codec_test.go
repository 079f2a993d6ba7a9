package sqlitequeue

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func fullRecord() record {
	return record{
		row: row{
			seq: 1 << 61, prefix: -5, lane: 7, level: 2, expires: 3, created: 4, queued: 4, updated: 5, attempts: 6, logged: 8,
			evidence: 2, bytes: 9, target: 1, turn: -11, told: "told", lastError: "late", head: []byte("head"),
		},
		last: []byte("last"), sum: 12, secret: []byte("secret"), body: []byte("body"),
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	want := []record{fullRecord(), {row: row{seq: 1, lane: 2}}, fullRecord()}
	var encoded []byte
	for i := range want {
		encoded = appendRecord(encoded, &want[i])
		want[i].setDefaults()
	}
	var got []record
	err := readRecords(encoded, nil, func(r *record) error {
		got = append(got, *r)
		return nil
	})
	if err != nil || !reflect.DeepEqual(encodedOf(got), encodedOf(want)) {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
	got = nil
	err = readRecords(encoded, func(seq, lane int64) bool { return seq == 1 && lane == 2 }, func(r *record) error {
		got = append(got, *r)
		return nil
	})
	if err != nil || !reflect.DeepEqual(encodedOf(got), encodedOf(want[1:2])) {
		t.Errorf("read %+v, %v, want the second alone", got, err)
	}
}

// TestRecordsAroundDamage: whichever byte of a record is another, no other record is
// lost, and the one it is in is not taken for whole.
func TestRecordsAroundDamage(t *testing.T) {
	t.Parallel()
	var want []record
	var encoded []byte
	var ends []int
	for i := range 5 {
		r := record{row: row{seq: int64(1000 + i), prefix: 7<<12 | 1<<40, lane: 3, level: 1, created: 1, head: []byte("head")}, secret: []byte("secret"), body: bytes.Repeat([]byte{byte(i), 0x80}, 90)}
		r.sum = sumOf(r.id(), r.head, r.secret, r.body)
		want = append(want, r)
		encoded = appendRecord(encoded, &r)
		ends = append(ends, len(encoded))
	}
	for at := range encoded {
		for bit := range 8 {
			from := bytes.Clone(encoded)
			from[at] ^= 1 << bit
			victim, _ := slices.BinarySearch(ends, at+1)
			whole := 0
			if err := readAccepted(from, func(r *record) error {
				if r.damage == nil {
					whole++
					if n := int(r.seq - 1000); n < 0 || n > 4 || !bytes.Equal(r.body, want[n].body) {
						t.Errorf("byte %d: %d is taken for whole", at, r.seq)
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if whole < 4 {
				t.Errorf("byte %d, bit %d, of record %d: %d of the others are left", at, bit, victim, whole)
			}
		}
	}
}

// encodedOf makes records comparable: to be empty and not to be there is the same.
func encodedOf(records []record) (all [][]byte) {
	for i := range records {
		all = append(all, appendRecord(nil, &records[i]))
	}
	return all
}

// FuzzRecords: what cannot be read is an error, and what can be is read the same
// once it is written again.
func FuzzRecords(f *testing.F) {
	full := fullRecord()
	f.Add(appendRecord(nil, &full))
	f.Add(appendRecord(appendRecord(nil, &full), &record{}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, from []byte) {
		var first, second [][]byte
		read := func(from []byte, into *[][]byte) error {
			return readRecords(from, func(_, _ int64) bool { return true }, func(r *record) error {
				if r.damage != nil {
					return errDamaged
				}
				*into = append(*into, appendRecord(nil, r))
				return nil
			})
		}
		if read(from, &first) != nil {
			return
		}
		if err := read(bytes.Join(first, nil), &second); err != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("read as %q, and then as %q (%v)", first, second, err)
		}
	})
}

// FuzzBlobs: no bytes on disk make a decoder panic.
func FuzzBlobs(f *testing.F) {
	m := queue.Message{
		Endpoint: "e", Format: "f", IdempotencyKey: "k", OrderingKey: "o", NotBefore: time.Unix(1, 0), Text: true,
		URI: transport.NewSecret("u"), Metadata: transport.Metadata{"n": "v"},
		Targets: []queue.Target{{Lane: queue.Lane{Destination: "d"}, URI: transport.NewSecret("u")}},
	}
	f.Add(appendHead(nil, &m))
	f.Add(appendSecret(nil, &m))
	f.Add(appendAttempt(nil, &queue.Attempt{StartedAt: time.Unix(1, 0), Error: "e", Response: []byte("r"), Target: 2}))
	f.Add(appendTally(nil, 1, &tally{pending: 2}))
	f.Fuzz(func(t *testing.T, from []byte) {
		var m queue.Message
		var a queue.Attempt
		for _, err := range []error{
			readHead(from, &m), readSecret(from, &m), readAttempt(from, &a), readTallies(from, func(int64, tally) {}),
		} {
			if err != nil && !isDamaged(err) {
				t.Errorf("%v, want errDamaged", err)
			}
		}
	})
}

func TestSeen(t *testing.T) {
	t.Parallel()
	s := seen{first: 100, bits: map[uint64]*[seenChunk / 64]uint64{}}
	if s.isNew(99) {
		t.Error("one from before is new")
	}
	if !s.isNew(100) {
		t.Error("the first is not new")
	}
	for _, n := range []uint64{100, 163, 164, seenChunk, 3 * seenChunk} {
		s.add(n)
		if s.isNew(n) || !s.isNew(n+1) {
			t.Errorf("after %d: it is new: %v, the next is new: %v", n, s.isNew(n), s.isNew(n+1))
		}
	}
	s.add((seenChunks + 5) * seenChunk)
	for n := range uint64(2 * seenChunks) {
		s.add(n*seenChunk + 7)
	}
	if len(s.bits) > seenChunks || s.isNew(100) {
		t.Errorf("%d chunks are kept, and the first number is new: %v", len(s.bits), s.isNew(100))
	}
	if n := uint64(2*seenChunks-1)*seenChunk + 7; s.isNew(n) || !s.isNew(n+1) {
		t.Error("the latest is not known")
	}
}

func TestKnownKeys(t *testing.T) {
	t.Parallel()
	now := instant{wall: 1}
	k := knownKeys{lifetime: 10, max: 3, seqs: map[uint64]int64{}}
	pair := func(hash, seq byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, hash, 0, 0, 0, 0, 0, 0, 0, seq} }
	k.add(keyRun{n: 1, at: 1, pairs: append(pair(1, 10), pair(2, 20)...)}, now)
	k.add(keyRun{n: 2, at: 5, pairs: pair(1, 11)}, now) // the same key, after its record was removed
	check := func(what string, wall int64, hash uint64, want int64) {
		t.Helper()
		if seq, _ := k.find(hash, instant{wall: wall}); seq != want {
			t.Errorf("%s: found %d, want %d", what, seq, want)
		}
	}
	check("the second", 10, 2, 20)
	check("replaced", 10, 1, 11)
	check("forgotten", 11, 2, 0)
	check("replaced, and the first forgotten", 11, 1, 11)
	if len(k.spent) != 1 || k.spent[0].n != 1 {
		t.Errorf("%+v can be dropped, want the first", k.spent)
	}
	check("all forgotten", 15, 1, 0)
	k.add(keyRun{n: 3, at: 20, pairs: append(append(pair(1, 1), pair(2, 2)...), pair(3, 3)...)}, instant{wall: 20})
	k.add(keyRun{n: 4, at: 20, pairs: pair(4, 4)}, instant{wall: 20})
	check("too many", 20, 1, 0)
	check("of the same run", 20, 2, 2)
	check("the latest", 20, 4, 4)
	k.add(keyRun{n: 5, at: 20, pairs: append(append(append(pair(5, 5), pair(6, 6)...), pair(7, 7)...), pair(8, 8)...)}, instant{wall: 20})
	check("too many at once", 20, 5, 0)
	check("the latest of them", 20, 6, 6)
	if len(k.spent) != 4 || k.count != 3 {
		t.Errorf("%d runs can be dropped, and %d keys are known; want 4 and 3", len(k.spent), k.count)
	}
}

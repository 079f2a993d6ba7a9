package sqlitequeue

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// What the database keeps in blobs is a sequence of fields: a tag, the length of
// the value, and the value. A field that is empty is left out, one whose tag is
// not known is skipped: so a field can be added without a new schema.

type tag = byte

// The tags of a head: what listings show of a message.
const (
	headEndpoint tag = iota + 1
	headFormat
	headContentType
	headIdempotencyKey
	headRetry
	headOrderingKey
	headNotBefore
	headMinEvidence
	headText
	headTargetDestination
	headTargetEndpoint // ends a target
	headSkipBlocked
)

// The tags of a secret: what only an attempt needs, beside the payload.
const (
	secretURI tag = iota + 1
	secretName
	secretValue     // of the name before
	secretTargetURI // of the first target, then the second, ...
)

// The tags of an attempt.
const (
	attemptStarted tag = iota + 1
	attemptDuration
	attemptClass
	attemptEvidence
	attemptCode
	attemptError
	attemptNote
	attemptResponse
	attemptTarget
)

// The tags of a record: a row of the table message, where it is in a blob.
const (
	recordSeq tag = iota + 1
	recordPrefix
	recordLane
	recordLevel
	recordExpires
	recordCreated
	recordUpdated
	recordAttempts
	recordLogged
	recordEvidence
	recordBytes
	recordTarget
	recordTurn
	recordTold
	recordError
	recordHead
	recordLast
	recordSum
	recordSecret
	recordBody
)

// record is a row and what belongs to it in other columns and tables.
type record struct {
	row
	last         []byte
	sum          int64
	secret, body []byte
	// damage is what the disk has of a record that is not what was written; nil: all
	// is well. What could be read of it is in the other fields, and may be wrong.
	damage []byte
}

// lengthRoom is how many bytes the length before a record takes.
const lengthRoom = 5

// appendRecord adds a record, with its length before it.
func appendRecord(to []byte, r *record) []byte {
	start := len(to)
	to = append(to, make([]byte, lengthRoom)...)
	for _, field := range r.numbers() {
		to = putInt(to, field.tag, *field.value)
	}
	to = putInt(to, recordLevel, int64(r.level))
	if r.told != queue.StatusQueued {
		to = putText(to, recordTold, r.told)
	}
	to = putText(to, recordError, r.lastError)
	to = putText(to, recordHead, r.head)
	to = putText(to, recordLast, r.last)
	to = putText(to, recordSecret, r.secret)
	to = putText(to, recordBody, r.body)
	putLength(to[start:start+lengthRoom], len(to)-start-lengthRoom)
	return to
}

// putLength fills a slice with a number in the form of Uvarint, padded.
func putLength(to []byte, n int) {
	last := len(to) - 1
	for i := range to {
		to[i] = byte(n&0x7f) | 0x80
		n >>= 7
	}
	to[last] &^= 0x80
}

type numberField struct {
	tag   tag
	value *int64
}

func (r *record) numbers() [13]numberField {
	return [...]numberField{
		{recordSeq, &r.seq}, {recordLane, &r.lane}, {recordPrefix, &r.prefix}, {recordExpires, &r.expires},
		{recordCreated, &r.created}, {recordUpdated, &r.updated}, {recordAttempts, &r.attempts}, {recordLogged, &r.logged},
		{recordEvidence, &r.evidence}, {recordBytes, &r.bytes}, {recordTarget, &r.target}, {recordTurn, &r.turn}, {recordSum, &r.sum},
	}
}

// readRecords reads what appendRecord has added, any number of times, but for those
// that are not wanted. The slices of a record are parts of from. One that is damaged
// hides no other: each gets what can be read of it. The error is errDamaged where
// a length was, unless each has one.
func readRecords(from []byte, wanted func(seq, lane int64) bool, each func(r *record) error) (err error) {
	for len(from) > 0 {
		part, rest, whole := cutRecord(from)
		if !whole {
			err = errDamaged
		}
		from = rest
		if wanted != nil && !wanted(skim(part)) {
			continue
		}
		var r record
		if r.read(part) != nil {
			r.damage = part
		}
		if err := each(&r); err != nil {
			return err
		}
	}
	return err
}

// cutRecord takes the first record off. Its length says where it ends, and so do its
// fields: where they differ, the next record shows which of them is damaged. Whole
// says that it was the length which was right.
func cutRecord(from []byte) (part, rest []byte, whole bool) {
	byLength, known := recordLength(from)
	if known && beginsRecord(from[byLength:]) {
		return from[lengthRoom:byLength], from[byLength:], true
	}
	start := min(lengthRoom, len(from))
	byFields, ended := fieldsEnd(from[start:])
	byFields += start
	switch {
	case ended && beginsRecord(from[byFields:]):
		return from[start:byFields], from[byFields:], false
	case known: // it is the next one that is damaged
		return from[lengthRoom:byLength], from[byLength:], true
	case ended:
		return from[start:byFields], from[byFields:], false
	default:
		return from[start:], nil, false
	}
}

// recordLength is how long the first record is, with its length, as that says.
func recordLength(from []byte) (length int, known bool) {
	size, n := binary.Uvarint(from)
	if n != lengthRoom || size > uint64(len(from)-lengthRoom) { //nolint:gosec // not negative
		return 0, false
	}
	return lengthRoom + int(size), true //nolint:gosec // at most the length of from
}

// beginsRecord reports whether a record begins here, or nothing.
func beginsRecord(from []byte) bool {
	length, known := recordLength(from)
	return len(from) == 0 || known && length > lengthRoom && from[lengthRoom] == recordSeq
}

// fieldsEnd is where the fields of a record end: a length begins with a byte that is
// no tag.
func fieldsEnd(from []byte) (end int, ended bool) {
	for end < len(from) && from[end] < 0x80 {
		size, n := binary.Uvarint(from[end+1:])
		if n <= 0 || size > uint64(len(from)-end-1-n) { //nolint:gosec // not negative
			return end, false
		}
		end += 1 + n + int(size) //nolint:gosec // at most the length of from
	}
	return end, true
}

// skim reads the first two fields of a record, which are its seq and its lane.
func skim(from []byte) (seq, lane int64) {
	for _, at := range [...]*int64{&seq, &lane} {
		if len(from) < 2 || len(from) < 2+int(from[1]) {
			return 0, 0
		}
		end := 2 + int(from[1]) // a number is short
		*at = number(from[2:end])
		from = from[end:]
	}
	return seq, lane
}

func (r *record) read(from []byte) error {
	r.head, r.secret = []byte{}, []byte{} // empty ones are left out, and no NULL in the tables
	var byTag [recordBody + 1]*int64
	for _, field := range r.numbers() {
		byTag[field.tag] = field.value
	}
	err := fields(from, func(t tag, value []byte) {
		switch t {
		case recordLevel:
			r.level = int(number(value))
		case recordTold:
			r.told = string(value)
		case recordError:
			r.lastError = string(value)
		case recordHead:
			r.head = value
		case recordLast:
			r.last = value
		case recordSecret:
			r.secret = value
		case recordBody:
			r.body = value
		default:
			if int(t) < len(byTag) && byTag[t] != nil {
				*byTag[t] = number(value)
			}
		}
	})
	if r.level < 0 || r.level >= levels {
		err = errDamaged
	}
	r.setDefaults()
	return err
}

// put adds a field, empty or not.
func put[T string | []byte](to []byte, t tag, value T) []byte {
	to = binary.AppendUvarint(append(to, t), uint64(len(value)))
	return append(to, value...)
}

func putText[T string | []byte](to []byte, t tag, value T) []byte {
	if len(value) == 0 {
		return to
	}
	return put(to, t, value)
}

func putInt(to []byte, t tag, value int64) []byte {
	if value == 0 {
		return to
	}
	var buffer [binary.MaxVarintLen64]byte
	return put(to, t, buffer[:binary.PutVarint(buffer[:], value)])
}

// fields runs each on the fields of a blob.
func fields(from []byte, each func(t tag, value []byte)) error {
	for len(from) > 0 {
		size, n := binary.Uvarint(from[1:])
		if n <= 0 || size > uint64(len(from)-1-n) { //nolint:gosec // not negative
			return errDamaged
		}
		end := 1 + n + int(size) //nolint:gosec // at most the length of from
		each(from[0], from[1+n:end])
		from = from[end:]
	}
	return nil
}

func number(value []byte) int64 {
	n, _ := binary.Varint(value)
	return n
}

func appendHead(to []byte, m *queue.Message) []byte {
	to = putText(to, headEndpoint, m.Endpoint)
	to = putText(to, headFormat, m.Format)
	to = putText(to, headContentType, m.ContentType)
	to = putText(to, headIdempotencyKey, m.IdempotencyKey)
	to = putText(to, headRetry, m.Retry)
	to = putText(to, headOrderingKey, m.OrderingKey)
	to = putInt(to, headNotBefore, toWall(m.NotBefore))
	to = putInt(to, headMinEvidence, int64(m.MinEvidence))
	if m.Text {
		to = putInt(to, headText, 1)
	}
	if m.SkipBlocked {
		to = putInt(to, headSkipBlocked, 1)
	}
	for i := range m.Targets {
		to = putText(to, headTargetDestination, m.Targets[i].Lane.Destination)
		to = put(to, headTargetEndpoint, m.Targets[i].Endpoint)
	}
	return to
}

func readHead(from []byte, m *queue.Message) error {
	target := queue.Target{Lane: m.Lane}
	return fields(from, func(t tag, value []byte) {
		switch t {
		case headEndpoint:
			m.Endpoint = string(value)
		case headFormat:
			m.Format = string(value)
		case headContentType:
			m.ContentType = string(value)
		case headIdempotencyKey:
			m.IdempotencyKey = string(value)
		case headRetry:
			m.Retry = string(value)
		case headOrderingKey:
			m.OrderingKey = string(value)
		case headNotBefore:
			m.NotBefore = fromWall(number(value))
		case headMinEvidence:
			m.MinEvidence = transport.Evidence(number(value)) //nolint:gosec // as written
		case headText:
			m.Text = true
		case headSkipBlocked:
			m.SkipBlocked = true
		case headTargetDestination:
			target.Lane.Destination = string(value)
		case headTargetEndpoint:
			target.Endpoint = string(value)
			m.Targets = append(m.Targets, target)
		}
	})
}

func appendSecret(to []byte, m *queue.Message) []byte {
	to = putText(to, secretURI, m.URI.Reveal())
	for name, value := range m.Metadata {
		to = put(put(to, secretName, name), secretValue, value)
	}
	for i := range m.Targets {
		to = put(to, secretTargetURI, m.Targets[i].URI.Reveal())
	}
	return to
}

func readSecret(from []byte, m *queue.Message) error {
	var name string
	var next int // target
	return fields(from, func(t tag, value []byte) {
		switch t {
		case secretURI:
			m.URI = transport.NewSecret(string(value))
		case secretName:
			name = string(value)
		case secretValue:
			if m.Metadata == nil {
				m.Metadata = transport.Metadata{}
			}
			m.Metadata[name] = string(value)
		case secretTargetURI:
			if next < len(m.Targets) {
				m.Targets[next].URI = transport.NewSecret(string(value))
			}
			next++
		}
	})
}

// sumOf is the checksum of what a message is.
func sumOf(id transport.ID, head, secret, body []byte) int64 {
	sum := crc32.Update(0, castagnoli, id[:])
	sum = crc32.Update(sum, castagnoli, head)
	sum = crc32.Update(sum, castagnoli, secret)
	return int64(crc32.Update(sum, castagnoli, body))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendAttempt(to []byte, a *queue.Attempt) []byte {
	to = putInt(to, attemptStarted, toWall(a.StartedAt))
	to = putInt(to, attemptDuration, int64(a.Duration))
	to = putText(to, attemptClass, string(a.Class))
	to = putInt(to, attemptEvidence, int64(a.Evidence))
	to = putText(to, attemptCode, a.Code)
	to = putText(to, attemptError, a.Error)
	to = putText(to, attemptNote, a.Note)
	to = putInt(to, attemptTarget, int64(a.Target))
	return putText(to, attemptResponse, a.Response)
}

func readAttempt(from []byte, a *queue.Attempt) error {
	return fields(from, func(t tag, value []byte) {
		switch t {
		case attemptStarted:
			a.StartedAt = fromWall(number(value))
		case attemptDuration:
			a.Duration = time.Duration(number(value))
		case attemptClass:
			a.Class = transport.Class(value)
		case attemptEvidence:
			a.Evidence = transport.Evidence(number(value)) //nolint:gosec // as written
		case attemptCode:
			a.Code = string(value)
		case attemptError:
			a.Error = string(value)
		case attemptNote:
			a.Note = string(value)
		case attemptTarget:
			a.Target = int(number(value))
		case attemptResponse:
			a.Response = slices.Clone(value)
		}
	})
}

package sqlitequeue

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// What the database keeps in blobs is a sequence of fields: a tag, the length of
// the value, and the value. A field that is empty is left out, one whose tag is
// not known is skipped: so a field can be added without a new schema.

// errDamaged: bytes on disk are not what was written.
var errDamaged = errors.New("what the disk has of it is not what was written")

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
		if n <= 0 || size > uint64(len(from)-1-n) {
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

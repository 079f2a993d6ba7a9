package sqlitequeue

import (
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// Report is what [Check] has found. Where it has repaired something, the rest is
// as it is after that.
type Report struct {
	// Schema is the version of the schema.
	Schema int `json:"schema"`
	// Integrity is what SQLite finds wrong with the file; empty when all is well.
	Integrity []string `json:"integrity,omitempty"`
	// Counts are counted from the messages themselves.
	Counts Counts `json:"counts"`
	// Damaged are the messages that cannot be delivered or read.
	Damaged []Damage `json:"damaged,omitempty"`
	// Tallies are the lanes that count otherwise than their messages.
	Tallies []queue.Lane `json:"tallies,omitempty"`
	// Turns counts the ordering keys in which not exactly one message has the turn.
	Turns int64 `json:"turns"`
	// Lost counts the messages that wait and would never be found again.
	Lost int64 `json:"lost"`
	// Unreadable are the parts of the log of accepted messages, and of the history of
	// delivered ones, that cannot be read: some messages of each, and not known which.
	Unreadable []string `json:"unreadable,omitempty"`
	// OrphanContents and OrphanAttempts belong to no message. They do no harm.
	OrphanContents int64 `json:"orphan_contents"`
	OrphanAttempts int64 `json:"orphan_attempts"`
	// Repaired is what was repaired.
	Repaired Repairs `json:"repaired"`
}

// Counts are how many messages there are, by what became of them.
type Counts struct {
	Pending   int64 `json:"pending"` // those that wait for pick-up included
	Retry     int64 `json:"retry"`
	Delivered int64 `json:"delivered"`
	Dead      int64 `json:"dead"`
	Cancelled int64 `json:"cancelled"`
	Expired   int64 `json:"expired"`
	Bytes     int64 `json:"bytes"` // of those that are not done
}

// Messages is how many there are.
func (c *Counts) Messages() int64 {
	return c.Pending + c.Retry + c.Delivered + c.Dead + c.Cancelled + c.Expired
}

func countsOf(t *tally) Counts {
	return Counts{
		Pending: t.pending, Retry: t.retry, Bytes: t.bytes,
		Delivered: t.done[0], Dead: t.done[1], Cancelled: t.done[2], Expired: t.done[3],
	}
}

// Damage is what is wrong with a message.
type Damage struct {
	ID transport.ID `json:"id"`
	// Result is how the message ended; empty when it has not.
	Result queue.Result `json:"result,omitempty"`
	Fault  string       `json:"fault"`

	seq  int64
	ends bool // it waits and cannot be delivered: a repair ends it
}

// Repairs is what [CheckOptions].Repair has changed.
type Repairs struct {
	Ended   []transport.ID `json:"ended,omitempty"`   // damaged messages that waited and are dead now
	Tallies int64          `json:"tallies,omitempty"` // lanes that were counted again
	Turns   int64          `json:"turns,omitempty"`   // ordering keys in which one has the turn now
	Found   int64          `json:"found,omitempty"`   // messages that wait and are found again
}

// OK reports whether nothing is wrong. Orphans are nothing wrong, nor is a damaged
// message that has ended: it was not delivered, and can stay until it is removed.
func (r *Report) OK() bool {
	for i := range r.Damaged {
		if r.Damaged[i].Result == "" {
			return false
		}
	}
	return len(r.Integrity)+len(r.Unreadable)+len(r.Tallies) == 0 && r.Turns+r.Lost == 0
}

package inbound

import (
	"errors"
	"sync/atomic"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// ErrUnwritten is for [Outgoing.Done]: nothing of the message was written. It may
// go to another session.
var ErrUnwritten = errors.New("the message was not written")

// Outgoing is a message that a transport is to write to a session. Neither it nor
// what it refers to may be changed.
type Outgoing struct {
	ID    transport.ID
	Frame wireformat.Frame

	ended atomic.Bool
	done  func(evidence transport.Evidence, err error)
}

// Done tells what became of the message: it was written or, where the session has
// acknowledgements, acknowledged; or it was not, and err says why. [ErrUnwritten],
// or an error that wraps it, promises that nothing of it left this process. A
// transport calls Done for every message it took, in the end; only the first call
// counts.
func (o *Outgoing) Done(evidence transport.Evidence, err error) {
	if o.ended.CompareAndSwap(false, true) {
		o.done(evidence, err)
	}
}

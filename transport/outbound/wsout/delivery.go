package wsout

import (
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// maxReplays is how often one attempt writes its message again, after connections
// that were lost before they had acknowledged it.
const maxReplays = 2

// stage is how far a delivery is.
type stage uint8

const (
	queued  stage = iota // waits in its pool's queue
	written              // is in its connection's window, written or being written
	ended                // its result is known, or nobody waits for it
)

// delivery is the message of one attempt on its way to the peer.
type delivery struct {
	id      transport.ID
	key     string // the idempotency key
	payload []byte
	text    bool
	done    chan struct{} // has room for one: the result is there

	result result // is there when done says so

	// Guarded by the pool's mutex, until the result is on its way.
	stage   stage
	conn    *conn  // whose window it is in
	ping    uint64 // the number of the ping behind it; 0: none yet
	replays int
	early   bool // it was acknowledged while it was being written
	accused bool // a connection ended with 1002 while it had written nothing else

	queuedAt, flushedAt time.Time // flushedAt is zero until then
}

// result is what became of an attempt.
type result struct {
	receipt outbound.Receipt
	fault   *outbound.DeliveryError // shared with other deliveries: not to be changed
}

func newDelivery() *delivery { return &delivery{done: make(chan struct{}, 1)} }

// size is what a delivery counts in a connection's window, in bytes.
func (d *delivery) size() int { return len(d.payload) }

// fail ends a delivery whose attempt's error is fault. One that wrote its message
// before must say so. The caller holds the pool's mutex.
func (d *delivery) fail(fault *outbound.DeliveryError) {
	d.stage = ended
	if d.replays > 0 && !fault.MaybeSent {
		sent := *fault
		sent.MaybeSent = true
		if sent.Class != transport.Permanent {
			sent.Class = transport.Unknown
		}
		fault = &sent
	}
	d.result = result{fault: fault}
}

// blamed reports that a connection's end is about this message, which the second
// time may be a matter of. alone: the connection had no other under way.
func (d *delivery) blamed(e *ending, alone bool) bool {
	if e.class != transport.Permanent || !alone {
		return false
	}
	before := d.accused
	d.accused = d.accused || e.twice
	return before || !e.twice
}

// finish tells those that wait for ended deliveries. These are their attempts'
// again then.
func finish(all []*delivery) {
	for _, d := range all {
		d.done <- struct{}{}
	}
}

package verify

import (
	"slices"
	"sync"
)

// State is what the store says at the end of a message.
type State string

// The states, as far as they matter here.
const (
	Waiting   State = "waiting" // not done
	Delivered State = "delivered"
	Dead      State = "dead"
	Cancelled State = "cancelled"
	Expired   State = "expired"
)

// Letter is a message that is sent.
type Letter struct {
	// Name is what its payload says it is; it is not used twice.
	Name string
	// Order names the queue in which it keeps its place: a destination and an
	// ordering key. Empty: it has no place to keep.
	Order string
	// MayDie says that its receiver refuses it for good.
	MayDie bool
}

// Receipt is a message as it arrived.
type Receipt struct {
	Name   string // empty: the payload is no letter's
	ID     string
	Life   int  // of the daemon that delivered it, from 1
	OK     bool // it was answered with a success
	Intact bool // the payload is what was sent
}

// History is what was seen of a run. Make one with [NewHistory].
type History struct {
	mu        sync.Mutex
	sent      []*letter
	byName    map[string]*letter
	strangers []Receipt
	crashes   map[int]int // in flight, at most, at the end of each life
	ends      map[string]State
	received  int
	accepted  int
	open      int // accepted, to arrive, and not yet arrived
}

// letter is what is known of a message.
type letter struct {
	Letter
	place    int // among all that were sent
	ids      []string
	receipts []arrival
	arrived  bool // answered with a success at least once
}

// arrival is a receipt in the order of all.
type arrival struct {
	Receipt
	at int
}

// NewHistory returns one of a run that has not begun.
func NewHistory() *History {
	return &History{byName: map[string]*letter{}, crashes: map[int]int{}, ends: map[string]State{}}
}

// Send tells that letters are about to be sent. Those with the same Order are to
// arrive in the order of these calls.
func (h *History) Send(letters ...Letter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range letters {
		known := &letter{Letter: l, place: len(h.sent)}
		h.sent = append(h.sent, known)
		h.byName[l.Name] = known
	}
}

// Accept tells that a letter was accepted, under an id.
func (h *History) Accept(name, id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.byName[name]
	if l == nil || slices.Contains(l.ids, id) {
		return
	}
	if len(l.ids) == 0 {
		h.accepted++
		if !l.arrived && !l.MayDie {
			h.open++
		}
	}
	l.ids = append(l.ids, id)
}

// Receive tells that a message has arrived, before it is answered.
func (h *History) Receive(r Receipt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.byName[r.Name]
	if l == nil {
		h.strangers = append(h.strangers, r)
		return
	}
	h.received++
	l.receipts = append(l.receipts, arrival{r, h.received})
	if r.OK && !l.arrived {
		l.arrived = true
		if len(l.ids) > 0 && !l.MayDie {
			h.open--
		}
	}
}

// Tries returns how often a letter has arrived.
func (h *History) Tries(name string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.byName[name]; l != nil {
		return len(l.receipts)
	}
	return 0
}

// Crash tells that a life of the daemon has ended in the middle of its work, and
// how many messages it had in flight at most.
func (h *History) Crash(life, inFlight int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.crashes[life] = inFlight
}

// End tells what the store says of a message at the end of the run. Of one that
// was delivered it need not be told.
func (h *History) End(id string, state State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends[id] = state
}

// Accepted returns how many letters were accepted so far.
func (h *History) Accepted() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.accepted
}

// Open returns how many accepted letters have yet to arrive.
func (h *History) Open() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

package verify

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is a way to break the promise.
type Kind string

// The kinds.
const (
	Lost      Kind = "lost"      // accepted, and neither arrived nor kept
	Repeated  Kind = "repeated"  // arrived again, and no crash explains it
	Reordered Kind = "reordered" // arrived after one that was sent later with the same key
	Damaged   Kind = "damaged"   // arrived with another payload or id than it was sent with
	Unknown   Kind = "unknown"   // arrived, and was never sent
)

// Fault is one broken promise.
type Fault struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name,omitempty"`
	ID     string `json:"id,omitempty"`
	Detail string `json:"detail"`
}

// maxFaults is how many faults a report lists; all are counted.
const maxFaults = 20

// Report is what a history amounts to.
type Report struct {
	Sent      int `json:"sent"`     // letters
	Accepted  int `json:"accepted"` // of those: answered with 202
	Delivered int `json:"delivered"`
	// Unanswered are those of the delivered whose sender was not told that they had
	// been accepted: the daemon was killed before.
	Unanswered int `json:"unanswered"`
	Dead       int `json:"dead"` // of the accepted, as the three that follow
	Waiting    int `json:"waiting"`
	Cancelled  int `json:"cancelled"`
	Expired    int `json:"expired"`

	Crashes int `json:"crashes"`
	// Duplicates counts what arrived again, and InFlight what may: the messages in
	// flight at the crashes.
	Duplicates int `json:"duplicates"`
	InFlight   int `json:"in_flight"`

	Lost      int     `json:"lost"`
	Repeated  int     `json:"repeated"`
	Reordered int     `json:"reordered"`
	Damaged   int     `json:"damaged"`
	Unknown   int     `json:"unknown"`
	Faults    []Fault `json:"faults,omitempty"` // the first of them
}

// ErrBroken says that the promise was not kept.
var ErrBroken = errors.New("the promise was broken")

// Err says whether the promise was kept; nil: it was.
func (r *Report) Err() error {
	var parts []string
	for _, count := range r.counts() {
		if *count.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", *count.n, count.kind))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrBroken, strings.Join(parts, ", "))
}

type kindCount struct {
	kind Kind
	n    *int
}

func (r *Report) counts() []kindCount {
	return []kindCount{{Lost, &r.Lost}, {Repeated, &r.Repeated}, {Reordered, &r.Reordered}, {Damaged, &r.Damaged}, {Unknown, &r.Unknown}}
}

func (r *Report) fault(kind Kind, name, id, format string, args ...any) {
	for _, count := range r.counts() {
		if count.kind == kind {
			*count.n++
		}
	}
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, Fault{kind, name, id, fmt.Sprintf(format, args...)})
	}
}

// Check judges what has been told so far.
func (h *History) Check() Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := Report{Sent: len(h.sent), Accepted: h.accepted, Crashes: len(h.crashes)}
	for _, n := range h.crashes {
		r.InFlight += n
	}
	for _, l := range h.sent {
		h.checkEnd(&r, l)
		checkContent(&r, l)
	}
	h.checkDuplicates(&r)
	h.checkOrder(&r)
	for _, s := range h.strangers {
		r.fault(Unknown, s.Name, s.ID, "life %d delivered what was never sent", s.Life)
	}
	return r
}

// checkEnd finds out what became of a letter.
func (h *History) checkEnd(r *Report, l *letter) {
	if l.arrived {
		r.Delivered++
		if len(l.ids) == 0 {
			r.Unanswered++
		}
		return
	}
	if len(l.ids) == 0 {
		return
	}
	switch state := h.ends[l.ids[0]]; {
	case state == Waiting:
		r.Waiting++
	case state == Cancelled:
		r.Cancelled++
	case state == Expired:
		r.Expired++
	case state == Dead && l.MayDie:
		r.Dead++
	case state == Dead:
		r.fault(Lost, l.Name, l.ids[0], "the store gave it up, and its receiver would have taken it")
	case state == Delivered:
		r.fault(Lost, l.Name, l.ids[0], "the store says it was delivered, and it has not arrived")
	default:
		r.fault(Lost, l.Name, l.ids[0], "it has not arrived, and the store does not know it")
	}
}

// checkContent compares what arrived with what was sent.
func checkContent(r *Report, l *letter) {
	if len(l.ids) > 1 {
		r.fault(Damaged, l.Name, l.ids[1], "it was accepted twice: the other id is %s", l.ids[0])
	}
	for _, receipt := range l.receipts {
		switch {
		case !receipt.Intact:
			r.fault(Damaged, l.Name, receipt.ID, "life %d delivered another payload", receipt.Life)
		case len(l.ids) > 0 && !slices.Contains(l.ids, receipt.ID):
			r.fault(Damaged, l.Name, receipt.ID, "life %d delivered it with another id than %s", receipt.Life, l.ids[0])
		case receipt.ID != l.receipts[0].ID:
			r.fault(Damaged, l.Name, receipt.ID, "life %d delivered it with another id than before: %s", receipt.Life, l.receipts[0].ID)
		}
	}
}

// checkDuplicates holds each life to what it had in flight: as much of what it
// delivered may arrive again later, and nothing may arrive twice in one life.
func (h *History) checkDuplicates(r *Report) {
	again := map[int]int{} // of what a life delivered
	for _, l := range h.sent {
		var lives []int
		for _, receipt := range l.receipts {
			if receipt.OK {
				lives = append(lives, receipt.Life)
			}
		}
		slices.Sort(lives)
		for i := 1; i < len(lives); i++ {
			r.Duplicates++
			if lives[i] == lives[i-1] {
				r.fault(Repeated, l.Name, l.receipts[0].ID, "life %d delivered it twice", lives[i])
				continue
			}
			life := lives[i-1]
			again[life]++
			if again[life] > h.crashes[life] {
				r.fault(Repeated, l.Name, l.receipts[0].ID, "life %d had delivered it, and life %d did again; %d were in flight at its end",
					life, lives[i], h.crashes[life])
			}
		}
	}
}

// queued is an arrival in its queue.
type queued struct {
	*letter
	arrival
}

// checkOrder looks for what arrived after a letter that was sent later, be it for
// the first time or again. What a dead daemon had sent counts before what the next
// one did, also where it was read later.
func (h *History) checkOrder(r *Report) {
	queues := map[string][]queued{}
	for _, l := range h.sent {
		for _, receipt := range l.receipts {
			if l.Order != "" {
				queues[l.Order] = append(queues[l.Order], queued{l, receipt})
			}
		}
	}
	for _, order := range slices.Sorted(maps.Keys(queues)) {
		queue := queues[order]
		slices.SortFunc(queue, func(a, b queued) int { return cmp.Or(cmp.Compare(a.Life, b.Life), cmp.Compare(a.at, b.at)) })
		latest := queue[0].letter
		for _, next := range queue {
			if next.place < latest.place {
				r.fault(Reordered, next.letter.Name, next.ID, "life %d delivered it after %s of the same key", next.Life, latest.Name)
				continue
			}
			latest = next.letter
		}
	}
}

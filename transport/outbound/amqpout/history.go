package amqpout

import (
	"slices"
	"sync"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// mostRemembered bounds the messages whose history is kept.
const mostRemembered = 10_000

// history is what peers said of messages that are not through yet: annotations for
// the next attempt, and how often a message was released. It is in memory, and
// lost with the process.
type history struct {
	mu    sync.Mutex
	of    map[transport.ID]past
	order []transport.ID // as they came; may name those that are through
}

type past struct {
	annotations value.Map
	releases    int // in a row
}

// annotations returns what is to be merged into a message's annotations.
func (h *history) annotations(id transport.ID) value.Map {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of[id].annotations
}

// note takes an outcome into account, and returns how many releases there were in a
// row.
func (h *history) note(id transport.ID, o amqp1.Outcome) (releases int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, known := h.of[id]
	switch o.State {
	case amqp1.Released:
		p.releases++
	case amqp1.Modified:
		p.releases = 0
		p.annotations = merge(p.annotations, o.Annotations)
	case amqp1.Accepted, amqp1.Rejected, amqp1.Written:
		delete(h.of, id)
		if len(h.of) == 0 {
			h.order = h.order[:0]
		}
		return 0
	case amqp1.Received, amqp1.Unstated:
		p.releases = 0
	}
	if !known && p.releases == 0 && p.annotations == nil {
		return 0
	}
	h.keep(id, p, known)
	return p.releases
}

// merge returns before with the values of after in place of those with the same key.
func merge(before, after value.Map) value.Map {
	if len(after) == 0 {
		return before
	}
	merged := slices.Clone(after)
	for _, pair := range before {
		if !slices.ContainsFunc(after, func(p value.Pair) bool { return value.Equal(p.Key, pair.Key) }) {
			merged = append(merged, pair)
		}
	}
	return merged
}

func (h *history) keep(id transport.ID, p past, known bool) {
	if h.of == nil {
		h.of = map[transport.ID]past{}
	}
	h.of[id] = p
	if known {
		return
	}
	h.order = append(h.order, id)
	for len(h.order) > mostRemembered {
		delete(h.of, h.order[0])
		h.order = h.order[1:]
	}
}

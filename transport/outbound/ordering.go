package outbound

import (
	"errors"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/queue"
)

const maxOrderingKey = 256 // bytes

// OnBlocked says what the messages with one OrderingKey do while the one whose
// turn it is waits for a retry. Each message says it for those behind it.
type OnBlocked string

// The kinds of OnBlocked. Empty is BlockedWait.
const (
	// BlockedWait: they wait too. One that ends undelivered lets them pass.
	BlockedWait OnBlocked = "wait"
	// BlockedSkip: they are attempted meanwhile, so that it arrives after them.
	BlockedSkip OnBlocked = "skip"
)

// checkOrder looks at the fields that say who is first.
func checkOrder(message *Message) error {
	if !message.Priority.Valid() {
		return &FieldError{"priority", fmt.Errorf("%d is unknown: want low, normal or high", message.Priority)}
	}
	if len(message.OrderingKey) > maxOrderingKey {
		return &FieldError{"ordering_key", fmt.Errorf("has %d bytes: at most %d are allowed", len(message.OrderingKey), maxOrderingKey)}
	}
	switch message.OnBlocked {
	case "", BlockedWait:
	case BlockedSkip:
		if message.OrderingKey == "" {
			return &FieldError{"on_blocked", errors.New("says nothing without an ordering_key: give one, or leave it out")}
		}
	default:
		return &FieldError{"on_blocked", fmt.Errorf("%q is unknown: want wait or skip", message.OnBlocked)}
	}
	return nil
}

// passTurn has a lane looked at again when a message with an ordering key has
// given up its turn: the next one was no work of the lane before.
func (m *Manager) passTurn(message *queue.Message, lane queue.Lane) {
	if message.OrderingKey != "" {
		m.sched.notify(lane, time.Time{})
	}
}

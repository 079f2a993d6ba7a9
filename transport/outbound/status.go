package outbound

import (
	"fmt"

	"github.com/outrider-go/outrider/queue"
)

// Status is what the sender of a message is told: ACA-Py's OutboundSendStatus.
type Status string

// The five statuses, with ACA-Py's strings.
const (
	StatusQueuedForDelivery   Status = "queued_for_delivery"
	StatusSentToSession       Status = "sent_to_session"
	StatusSentToExternalQueue Status = "sent_to_external_queue"
	StatusWaitingForPickup    Status = "waiting_for_pickup"
	StatusUndeliverable       Status = "undeliverable"
)

// topicOfMessages begins every topic about a message.
const topicOfMessages = "outbound-message::"

const topicUndeliverable = topicOfMessages + string(StatusUndeliverable)

// Topic returns the topic of the event that tells of the status, without the
// manager's prefix: "outbound-message::queued_for_delivery".
func (s Status) Topic() string {
	switch s {
	case StatusQueuedForDelivery: // the one that every message has: a constant costs nothing
		return topicOfMessages + string(StatusQueuedForDelivery)
	default:
		return topicOfMessages + string(s)
	}
}

// statusIn is the status of a message that waits in a lane.
func statusIn(lane queue.Lane) Status {
	if isPickup(lane) {
		return StatusWaitingForPickup
	}
	return StatusQueuedForDelivery
}

// ParseStatus returns the status with that text.
func ParseStatus(text string) (Status, error) {
	switch s := Status(text); s {
	case StatusQueuedForDelivery, StatusSentToSession, StatusSentToExternalQueue, StatusWaitingForPickup, StatusUndeliverable:
		return s, nil
	}
	return "", fmt.Errorf("unknown status %q", text)
}

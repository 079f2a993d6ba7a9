package outbound

import "fmt"

// Status is what the sender of a message is told: the seed's OutboundSendStatus.
type Status string

// The five statuses, with the seed's strings.
const (
	StatusQueuedForDelivery   Status = "queued_for_delivery"
	StatusSentToSession       Status = "sent_to_session"
	StatusSentToExternalQueue Status = "sent_to_external_queue"
	StatusWaitingForPickup    Status = "waiting_for_pickup"
	StatusUndeliverable       Status = "undeliverable"
)

// topicOfMessages begins every topic about a message.
const topicOfMessages = "outbound-message::"

const (
	topicQueued        = topicOfMessages + string(StatusQueuedForDelivery)
	topicUndeliverable = topicOfMessages + string(StatusUndeliverable)
)

// Topic returns the topic of the event that tells of the status, without the
// manager's prefix: "outbound-message::queued_for_delivery".
func (s Status) Topic() string { return topicOfMessages + string(s) }

// ParseStatus returns the status with that text.
func ParseStatus(text string) (Status, error) {
	switch s := Status(text); s {
	case StatusQueuedForDelivery, StatusSentToSession, StatusSentToExternalQueue, StatusWaitingForPickup, StatusUndeliverable:
		return s, nil
	}
	return "", fmt.Errorf("unknown status %q", text)
}

package memqueue

import (
	"slices"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// address is what the messages of a lane mostly have in common. It never changes.
type address struct {
	lane        *lane
	endpoint    string
	uri         transport.Secret
	targets     []queue.Target
	target      int
	format      string
	contentType string
	retry       string
	text        bool
	priority    queue.Priority
	minEvidence transport.Evidence
	skipBlocked bool
}

func newAddress(l *lane, m *queue.Message) *address {
	return &address{
		lane: l, endpoint: m.Endpoint, uri: m.URI, targets: m.Targets, target: m.Target,
		format: m.Format, contentType: m.ContentType, retry: m.Retry, text: m.Text,
		priority: m.Priority, minEvidence: m.MinEvidence, skipBlocked: m.SkipBlocked,
	}
}

// of reports whether the message, which is for the same lane, has this address.
func (a *address) of(m *queue.Message) bool {
	return a.endpoint == m.Endpoint && a.format == m.Format && a.contentType == m.ContentType &&
		a.retry == m.Retry && a.text == m.Text && a.priority == m.Priority && a.minEvidence == m.MinEvidence && a.skipBlocked == m.SkipBlocked &&
		a.target == m.Target && a.uri.Equal(m.URI) && slices.EqualFunc(a.targets, m.Targets, sameTarget)
}

func sameTarget(a, b queue.Target) bool {
	return a.Lane == b.Lane && a.Endpoint == b.Endpoint && a.URI.Equal(b.URI)
}

// fill puts the address, and nothing else, into an empty message. Messages are
// large: they are made where they are needed, and not copied there.
func (a *address) fill(m *queue.Message) {
	m.Lane, m.Endpoint, m.URI, m.Targets, m.Target = a.lane.key, a.endpoint, a.uri, a.targets, a.target
	m.Format, m.ContentType, m.Text, m.Retry = a.format, a.contentType, a.text, a.retry
	m.Priority, m.MinEvidence, m.SkipBlocked = a.priority, a.minEvidence, a.skipBlocked
}

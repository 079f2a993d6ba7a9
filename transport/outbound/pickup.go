package outbound

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// What waits to be picked up is a queue like any other: the lane of an endpoint
// that stands for the recipient, which is away until the recipient has a session.
// So it is as durable, ordered, bounded and listed as everything else.

// Defaults of the limits on what waits for one recipient.
const (
	DefaultMaxPickupMessages = 1000
	DefaultMaxPickupBytes    = 16 << 20
)

// maxPickupAttempts is how many sessions a message may end: then it is the message
// that is at fault.
const maxPickupAttempts = 25

// pickupOf returns where a message waits for its recipient; zero: it does not.
func (m *Manager) pickupOf(message *Message) (transport.Endpoint, error) {
	enabled := message.Profile.Pickup().Enabled
	if message.Endpoint.Scheme() == transport.SchemePickup {
		if !enabled {
			return transport.Endpoint{}, &FieldError{"endpoint", fmt.Errorf("pickup is off: set pickup.enabled in profile %s", message.Profile.ID())}
		}
		peer, err := transport.ParsePeer(message.Endpoint)
		if err == nil && len(message.Target.Recipients) == 0 {
			message.Target.Recipients = peer.Keys
		}
		if err != nil {
			return transport.Endpoint{}, &FieldError{"endpoint", err}
		}
		return peer.PickupEndpoint()
	}
	if !enabled || message.SessionOnly || len(message.Target.Recipients) == 0 || message.MinEvidence > transport.Acknowledged {
		return transport.Endpoint{}, nil
	}
	if len(message.Target.Routing) > 0 && !message.Endpoint.IsZero() {
		return transport.Endpoint{}, nil // encoded for somebody on the way
	}
	endpoint, err := transport.Peer{Keys: message.Target.Recipients}.PickupEndpoint()
	if err != nil {
		return transport.Endpoint{}, &FieldError{"recipients", err}
	}
	return endpoint, nil
}

// pickupTarget is the index of the target at which a message waits to be picked up;
// -1: it has none.
func pickupTarget(message *queue.Message) int {
	if last := len(message.Targets) - 1; last >= 0 && isPickup(message.Targets[last].Lane) {
		return last
	}
	return -1
}

// exhausted moves a message that nothing else delivers to where it is picked up,
// where it has such a target and there is room.
func (m *Manager) exhausted(leased *queue.Leased, now time.Time) (at time.Time, target int, again bool) {
	target = pickupTarget(&leased.Message)
	if target < 0 || target == leased.Target {
		return now, leased.Target, false
	}
	tenant := m.tenant(m.settling, leased.Lane.Profile)
	if tenant == nil || !m.load.roomAt(leased.Targets[target].Lane, tenant, leased.Size()) {
		return now, leased.Target, false
	}
	return now, target, true
}

// pickups counts what waits for each recipient.
type pickups struct {
	lanes map[queue.Lane]*waiting
	byKey map[peerKey][]queue.Lane
}

type peerKey struct{ profile, key string }

type waiting struct {
	keys            []string // of the recipient
	messages, bytes int64
	taken           int64 // of the messages: under way, or arrived and not recorded yet
}

// count adds messages of a lane, or takes some away. Other lanes are not counted.
func (p *pickups) count(lane queue.Lane, messages, bytes int64) {
	if !isPickup(lane) {
		return
	}
	w := p.lanes[lane]
	if w == nil {
		w = p.join(lane)
	}
	w.messages, w.bytes = w.messages+messages, w.bytes+bytes
	if w.messages <= 0 {
		p.leave(lane, w)
	}
}

// join begins to count a lane.
func (p *pickups) join(lane queue.Lane) *waiting {
	if p.lanes == nil {
		p.lanes, p.byKey = map[queue.Lane]*waiting{}, map[peerKey][]queue.Lane{}
	}
	w := &waiting{keys: peerKeys(lane.Destination)}
	p.lanes[lane] = w
	for _, key := range w.keys {
		at := peerKey{lane.Profile, key}
		p.byKey[at] = append(p.byKey[at], lane)
	}
	return w
}

func (p *pickups) leave(lane queue.Lane, w *waiting) {
	delete(p.lanes, lane)
	for _, key := range w.keys {
		at := peerKey{lane.Profile, key}
		if p.byKey[at] = slices.DeleteFunc(p.byKey[at], func(other queue.Lane) bool { return other == lane }); len(p.byKey[at]) == 0 {
			delete(p.byKey, at)
		}
	}
}

// of lists the lanes of a recipient, and whether there is something in them that is
// not under way yet.
func (p *pickups) of(profile string, keys []string) (lanes []queue.Lane, more bool) {
	for _, key := range keys {
		for _, lane := range p.byKey[peerKey{profile, key}] {
			lanes = append(lanes, lane)
			more = more || p.lanes[lane].messages > p.lanes[lane].taken
		}
	}
	return lanes, more
}

// admit counts the messages of a batch, or says which limit of its profile one of
// them exceeds.
func (p *pickups) admit(batch []queue.Message, tenants []*profile.Profile) error {
	for i := range batch {
		if !isPickup(batch[i].Lane) {
			continue
		}
		if err := p.fits(batch[i].Lane, tenants[i], batch[i].Size()); err != nil {
			p.giveBack(batch[:i])
			return err
		}
		p.count(batch[i].Lane, 1, batch[i].Size())
	}
	return nil
}

// giveBack undoes admit.
func (p *pickups) giveBack(batch []queue.Message) {
	for i := range batch {
		p.count(batch[i].Lane, -1, -batch[i].Size())
	}
}

// fits reports whether one more message may wait in a lane.
func (p *pickups) fits(lane queue.Lane, tenant *profile.Profile, bytes int64) error {
	if !isPickup(lane) {
		return nil
	}
	limits := tenant.Limits()
	maxBytes := cmp.Or(limits.MaxPickupBytes, DefaultMaxPickupBytes)
	if bytes > maxBytes {
		return fmt.Errorf("%w: %d bytes, and profile %s may have %d wait to be picked up", ErrTooLarge, bytes, tenant.ID(), maxBytes)
	}
	w := p.lanes[lane]
	if w == nil {
		w = &waiting{}
	}
	for _, limit := range [...]struct {
		name      string
		used, max int64
	}{
		{"max_pickup_messages", w.messages + 1, cmp.Or(limits.MaxPickupMessages, DefaultMaxPickupMessages)},
		{"max_pickup_bytes", w.bytes + bytes, maxBytes},
	} {
		if limit.used > limit.max {
			return &QuotaError{Profile: tenant.ID(), Limit: limit.name, Max: float64(limit.max)}
		}
	}
	return nil
}

package outbound

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// Pickup is what waits for one recipient.
type Pickup struct {
	Profile  string
	Endpoint string   // pickup:KEY,KEY, by which its messages are listed
	Keys     []string // any of which picks it up; none where the endpoint cannot be read
	Messages int64
	Bytes    int64
	Oldest   time.Time // when the first of them was queued
}

// Pickups lists the recipients for whom messages wait, in the order of profile, keys
// and endpoint. The messages themselves are listed, shown and cancelled like all others.
func (m *Manager) Pickups(ctx context.Context) ([]Pickup, error) {
	lanes, err := m.store.Stats(ctx, queue.ByLane)
	if err != nil {
		return nil, err
	}
	var all []Pickup
	for i := range lanes {
		b := &lanes[i]
		if !isPickup(b.Lane) || b.Waiting() == 0 {
			continue
		}
		all = append(all, Pickup{
			Profile: b.Lane.Profile, Endpoint: b.Lane.Destination, Keys: peerKeys(b.Lane.Destination),
			Messages: b.Waiting(), Bytes: b.Bytes, Oldest: b.Oldest,
		})
	}
	slices.SortFunc(all, func(a, b Pickup) int {
		return cmp.Or(cmp.Compare(a.Profile, b.Profile), slices.Compare(a.Keys, b.Keys), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return all, nil
}

// peerKeys are the keys that the destination of a peer names; none where it cannot
// be read.
func peerKeys(destination string) []string {
	endpoint, err := transport.ParseEndpoint(destination)
	if err != nil {
		return nil
	}
	peer, err := transport.ParsePeer(endpoint)
	if err != nil {
		return nil
	}
	return peer.Keys
}

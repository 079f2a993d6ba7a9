package outbound_test

import (
	"context"
	"sync"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// keeper is a store that keeps two fields which the one behind it may lose: a
// message's SkipBlocked and an attempt's Target.
type keeper struct {
	queue.Store

	mu      sync.Mutex
	skips   map[transport.ID]bool
	targets map[transport.ID]map[int]int // by attempt
}

func keep(s queue.Store) *keeper {
	return &keeper{Store: s, skips: map[transport.ID]bool{}, targets: map[transport.ID]map[int]int{}}
}

func (k *keeper) Enqueue(ctx context.Context, batch []queue.Message) ([]queue.Enqueued, error) {
	k.mu.Lock()
	for i := range batch {
		if batch[i].SkipBlocked {
			k.skips[batch[i].ID] = true
		}
	}
	k.mu.Unlock()
	return k.Store.Enqueue(ctx, batch)
}

func (k *keeper) Lease(ctx context.Context, r queue.LeaseRequest, into []queue.Leased) ([]queue.Leased, error) {
	leased, err := k.Store.Lease(ctx, r, into)
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range leased {
		leased[i].SkipBlocked = k.skips[leased[i].ID]
	}
	return leased, err
}

func (k *keeper) Settle(ctx context.Context, outcomes []queue.Outcome) ([]error, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	faults, err := k.Store.Settle(ctx, outcomes)
	for i := range outcomes {
		a := outcomes[i].Attempt
		if a == nil || a.Target == 0 {
			continue
		}
		if k.targets[outcomes[i].ID] == nil {
			k.targets[outcomes[i].ID] = map[int]int{}
		}
		k.targets[outcomes[i].ID][a.N] = a.Target
	}
	return faults, err
}

func (k *keeper) Attempts(ctx context.Context, id transport.ID) ([]queue.Attempt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	log, err := k.Store.Attempts(ctx, id)
	for i := range log {
		log[i].Target = k.targets[id][log[i].N]
	}
	return log, err
}

package outbound

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
)

// load counts what waits in the queue, against its limits.
type load struct {
	maxMessages, maxBytes int64
	began                 time.Time // the zero of the clock that quotas go by

	mu       sync.Mutex
	messages int64
	bytes    int64
	quotas   quotas
	pickups  pickups
	empty    chan struct{} // closed when nothing waits; nil when nobody asked
}

// add counts messages that are about to be enqueued, each with its tenant, or
// refuses. What takes the place of others is not refused because of those that wait.
func (l *load) add(batch []queue.Message, tenants []*profile.Profile, inPlace bool) error {
	messages, bytes := int64(len(batch)), int64(0)
	limited := false
	for i := range batch {
		bytes += batch[i].Size()
		_, has := quotaLimits(tenants[i])
		limited = limited || has
	}
	var elapsed time.Duration
	if limited {
		elapsed = time.Since(l.began)
	}
	if messages > l.maxMessages || bytes > l.maxBytes {
		return fmt.Errorf("%w: %d messages of %d bytes, where %d of %d are allowed", ErrTooLarge, messages, bytes, l.maxMessages, l.maxBytes)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.fits(messages, bytes); err != nil && !inPlace {
		return err
	}
	if err := l.pickups.admit(batch, tenants); err != nil {
		return err
	}
	if limited {
		if err := l.quotas.admit(batch, tenants, elapsed, inPlace); err != nil {
			l.pickups.giveBack(batch)
			return err
		}
	}
	l.messages += messages
	l.bytes += bytes
	return nil
}

// roomAt reports whether a message may move to where it is picked up.
func (l *load) roomAt(lane queue.Lane, tenant *profile.Profile, bytes int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pickups.fits(lane, tenant, bytes) == nil
}

// waitingFor lists the lanes in which something waits for a recipient, and whether
// any of it is not under way yet.
func (l *load) waitingFor(profile string, keys []string) (lanes []queue.Lane, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pickups.of(profile, keys)
}

// taken counts messages that wait to be picked up and are under way to their
// recipient, until it is recorded that they have arrived.
func (l *load) taken(lane queue.Lane, messages int64) {
	if !isPickup(lane) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.pickups.lanes[lane]; w != nil {
		w.taken = max(w.taken+messages, 0) // others may wait there by now
	}
}

// room says what add would say.
func (l *load) room(messages, bytes int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fits(messages, bytes)
}

func (l *load) fits(messages, bytes int64) error {
	if l.messages+messages > l.maxMessages {
		return fmt.Errorf("%w: %d messages wait, of %d allowed", ErrQueueFull, l.messages, l.maxMessages)
	}
	if l.bytes+bytes > l.maxBytes {
		return fmt.Errorf("%w: %d bytes wait, of %d allowed", ErrQueueFull, l.bytes, l.maxBytes)
	}
	return nil
}

// addKept counts messages that are in the store already: nothing can refuse them.
// Tenant is nil where it is not known.
func (l *load) addKept(tenant *profile.Profile, lane queue.Lane, messages, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages += messages
	l.bytes += bytes
	l.pickups.count(lane, messages, bytes)
	if tenant == nil {
		return
	}
	if _, limited := quotaLimits(tenant); limited {
		l.quotas.track(lane, messages, bytes)
	}
}

// remove counts a message that is done.
func (l *load) remove(lane queue.Lane, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages--
	l.bytes -= bytes
	l.quotas.forget(lane, bytes)
	l.pickups.count(lane, -1, -bytes)
	if l.messages <= 0 && l.empty != nil {
		close(l.empty)
		l.empty = nil
	}
}

// giveBack undoes what add has spent of the rates, where nothing was kept.
func (l *load) giveBack(tenants []*profile.Profile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, tenant := range tenants {
		l.quotas.rates.giveBack(tenant)
	}
}

// move counts a message that goes to another lane.
func (l *load) move(from, to queue.Lane, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pickups.count(from, -1, -bytes)
	l.pickups.count(to, 1, bytes)
	l.quotas.move(from, to)
}

func (l *load) waiting() (messages, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.messages, l.bytes
}

// waitEmpty returns when nothing waits, or an error when ctx or stopped ends
// before.
func (l *load) waitEmpty(ctx context.Context, stopped <-chan struct{}) error {
	l.mu.Lock()
	if l.messages <= 0 {
		l.mu.Unlock()
		return nil
	}
	if l.empty == nil {
		l.empty = make(chan struct{})
	}
	empty := l.empty
	l.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

package verify

import (
	"context"
	"sync"

	"github.com/outrider-go/outrider/internal/client"
)

// Door is where senders find the daemon of the moment. The zero value is shut.
type Door struct {
	mu      sync.Mutex
	daemon  *client.Client
	changed chan struct{} // closed when the door is opened
}

// Open lets senders through to a daemon.
func (d *Door) Open(daemon *client.Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.daemon = daemon
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

// Shut has senders wait. What is under way goes on.
func (d *Door) Shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.daemon = nil
}

// Wait returns the daemon, once there is one.
func (d *Door) Wait(ctx context.Context) (*client.Client, error) {
	for {
		d.mu.Lock()
		if d.changed == nil {
			d.changed = make(chan struct{})
		}
		daemon, changed := d.daemon, d.changed
		d.mu.Unlock()
		if daemon != nil && ctx.Err() == nil {
			return daemon, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

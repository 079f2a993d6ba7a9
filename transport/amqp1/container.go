package amqp1

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/outrider-go/outrider/transport"
)

// Container is the application in AMQP's words: it has connections to peers, and
// links on them. Make one with [New], and give everything back with Close. It
// starts nothing before it is used.
type Container struct {
	options  Options
	name     string
	sends    *transport.Gate
	lifetime context.Context //nolint:containedctx // the container's own: links outlive every call
	end      context.CancelFunc
	work     sync.WaitGroup
	suspects suspects

	mu        sync.Mutex
	closed    bool
	pools     map[string]*pool
	senders   map[string]*Sender
	receivers map[*Receiver]struct{}
}

// New returns a container. The error joins all that is wrong with the options.
func New(options Options) (*Container, error) {
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("amqp1 options: %w", err)
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand aborts the program instead
	c := &Container{
		options: options.withDefaults(), name: "outrider-" + hex.EncodeToString(random[:]),
		sends: transport.NewGate(),
		pools: map[string]*pool{}, senders: map[string]*Sender{}, receivers: map[*Receiver]struct{}{},
	}
	c.lifetime, c.end = context.WithCancel(context.Background())
	return c, nil
}

// Name is the container id that peers are told where a remote has none.
func (c *Container) Name() string { return c.name }

// Close sends nothing more, waits for the outcomes of what was sent, and closes every
// connection. When ctx ends before, it returns its error and can be called again,
// with [Container.Abort] before it to wait no longer.
func (c *Container) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	if err := transport.Wait(ctx, c.sends.Close()); err != nil {
		return fmt.Errorf("close the container: sends are under way: %w", err)
	}
	for _, r := range c.openReceivers() {
		r.Close()
	}
	c.end()
	c.work.Wait() // each step of it is bounded
	return nil
}

// Abort ends everything under way at once: sends fail, and links are closed. Close
// is still to be called.
func (c *Container) Abort() {
	c.end()
	for _, conn := range c.connections() {
		_ = conn.guard.fail(ErrClosed)
		_ = conn.guard.abort()
	}
}

func (c *Container) connections() (all []*connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pools {
		p.mu.Lock()
		all = append(all, p.conns...)
		p.mu.Unlock()
	}
	return all
}

func (c *Container) openReceivers() (all []*Receiver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range c.receivers {
		all = append(all, r)
	}
	return all
}

// emit tells what happened with a remote.
func (c *Container) emit(remote *Remote, e *Event) {
	if c.options.OnEvent != nil {
		e.Address, e.Tenant, e.TLS = remote.Address, remote.Tenant, remote.TLS
		c.options.OnEvent(*e)
	}
}

// pool returns the pool of a remote, or its quarantine.
func (c *Container) pool(remote Remote, quarantine bool) *pool {
	if remote.ContainerID == "" {
		remote.ContainerID = c.name
	}
	if quarantine {
		remote.ContainerID += "-quarantine"
	}
	key := remote.key()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pools[key]
	if p == nil {
		if len(c.pools) >= c.options.MaxSenders {
			c.forgetPools()
		}
		p = newPool(c, remote)
		c.pools[key] = p
	}
	return p
}

// forgetPools lets go of pools without connections. Who has one may go on using it.
func (c *Container) forgetPools() {
	maps.DeleteFunc(c.pools, func(_ string, p *pool) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.conns) == 0
	})
}

// Sender returns the sender to a target, the same for equal remotes and targets. It
// connects when it sends first.
func (c *Container) Sender(remote Remote, target Target) (*Sender, error) {
	if err := errors.Join(remote.validate(), target.validate()); err != nil {
		return nil, fmt.Errorf("amqp1 sender: %w", err)
	}
	key := remote.key() + " " + target.key()
	p := c.pool(remote, false)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if s := c.senders[key]; s != nil {
		return s, nil
	}
	if len(c.senders) >= c.options.MaxSenders {
		c.forgetSender()
	}
	s := newSender(c, p, target)
	c.senders[key] = s
	return s, nil
}

// forgetSender lets go of one that is idle. Who has it may go on using it.
func (c *Container) forgetSender() {
	for key, s := range c.senders {
		if s.State() == Idle {
			delete(c.senders, key)
			return
		}
	}
}

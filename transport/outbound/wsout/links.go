package wsout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// maxTenants bounds the profiles whose settings are kept read. Beyond it they
// are read again.
const maxTenants = 1024

// firstSweep is how many pools there are when those without a connection are
// looked for.
const firstSweep = 1024

// onFrameGrace is how long a stop waits for OnFrame when its time is over.
const onFrameGrace = time.Second

// links are the connections of a transport, from Start to Stop.
type links struct {
	options  Options
	metrics  metrics
	buffers  buffers
	observe  func(phase string, took time.Duration) // of the dialers
	attempts *transport.Gate
	work     *transport.Gate    // goroutines
	base     context.Context    //nolint:containedctx // Start's: bounds connections, which outlive attempts
	halt     context.CancelFunc // the hard stop
	dials    context.Context    //nolint:containedctx // ends before base, when nobody waits for a connection any more
	noDials  context.CancelFunc

	tenants sync.Map // *profile.Profile to *tenant
	known   int      // of them; guarded by mu

	mu    sync.RWMutex
	pools map[poolKey]*pool
	sweep int // the number of pools at which to look for unused ones

	slots slots
}

// metrics are what attempts observe.
type metrics struct {
	collector                    *stats.Collector
	handshake, write, ack, total *stats.Metric
}

// poolKey is what connections have in common that a message may use: the profile,
// and all that is in the handshake.
type poolKey struct {
	profile *profile.Profile
	uri     string // whole
	header  string // of the metadata
}

func newLinks(ctx context.Context, o Options, m metrics, observe func(string, time.Duration)) *links {
	l := &links{
		options: o, metrics: m, observe: observe, attempts: transport.NewGate(), work: transport.NewGate(),
		pools: map[poolKey]*pool{}, sweep: firstSweep,
		slots: newSlots(o.MaxConns, o.MaxConnsPerHost),
	}
	l.base, l.halt = context.WithCancel(ctx)
	l.dials, l.noDials = context.WithCancel(l.base)
	return l
}

// goes runs work in a goroutine that stop waits for, unless it has begun to wait.
func (l *links) goes(work func()) bool {
	if !l.work.Enter() {
		return false
	}
	go func() {
		defer l.work.Leave()
		work()
	}()
	return true
}

// tenant returns what is known of a profile. The error says what is wrong in it.
func (l *links) tenant(p *profile.Profile) (*tenant, error) {
	if found, ok := l.tenants.Load(p); ok {
		return found.(*tenant), nil //nolint:forcetypeassert // the map holds nothing else
	}
	dialing := l.options.Egress
	dialing.Observe = l.observe
	fresh, err := newTenant(p, l.options, dialing)
	if err != nil {
		return nil, err
	}
	if p.TLS().InsecureSkipVerify {
		l.options.Logger.Warn("certificates of wss peers are not verified", zap.String("profile", p.ID()))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known++; l.known > maxTenants {
		l.tenants.Clear()
		l.known = 1
	}
	l.tenants.Store(p, fresh)
	return fresh, nil
}

// submit puts a delivery into the queue of its pool.
func (l *links) submit(t *tenant, m *outbound.Message, d *delivery) (*pool, *outbound.DeliveryError) {
	if t.mode == Single {
		shake, err := newHandshake(m, true)
		if err != nil {
			return nil, refusal("prepare", transport.Permanent, codeBadMessage, err)
		}
		p := newPool(l, t, shake, true)
		p.submit(d)
		return p, nil
	}
	key := poolKey{profile: t.profile, uri: m.Endpoint.Whole().Reveal(), header: metadataKey(m.Metadata)}
	for {
		l.mu.RLock()
		p := l.pools[key]
		l.mu.RUnlock()
		if p == nil {
			shake, err := newHandshake(m, false)
			if err != nil {
				return nil, refusal("prepare", transport.Permanent, codeBadMessage, err)
			}
			p = l.keep(key, newPool(l, t, shake, false))
		}
		if p.submit(d) {
			return p, nil
		}
	}
}

// keep makes fresh the pool of its key, unless somebody was faster.
func (l *links) keep(key poolKey, fresh *pool) *pool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.pools[key]; found != nil {
		return found
	}
	if len(l.pools) >= l.sweep {
		now := time.Now()
		for key, p := range l.pools {
			if p.closeUnused(now) {
				delete(l.pools, key)
			}
		}
		l.sweep = max(firstSweep, 2*len(l.pools))
	}
	l.pools[key] = fresh
	return fresh
}

// stop waits until no attempt is under way, and closes every connection with a
// closing handshake. When ctx ends, it waits no longer for attempts, and can be
// called again; and no longer for peers, whose connections it closes at once.
func (l *links) stop(ctx context.Context) error {
	if err := transport.Wait(ctx, l.attempts.Close()); err != nil {
		return fmt.Errorf("stop ws transport: attempts are under way: %w", err)
	}
	ended := l.work.Close()
	l.noDials()
	for _, c := range l.slots.conns() {
		c.retire(websocket.CloseGoingAway)
	}
	select {
	case <-ended:
	case <-ctx.Done():
	}
	l.halt() // what is left of this package ends at once
	timer := time.NewTimer(onFrameGrace)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-timer.C:
		return errors.New("stop ws transport: OnFrame has not returned, although its context has ended")
	}
}

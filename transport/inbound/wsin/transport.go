package wsin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/ingress"
)

// Transport is an [inbound.Transport] for ws and wss. Make one with [New]. It is
// an http.Handler, too, for somebody else's server.
type Transport struct {
	inbound.Base

	address  string
	options  Options
	scheme   string
	upgrader websocket.Upgrader

	lifecycle transport.Lifecycle
	running   atomic.Pointer[running]
	release   func() // detaches from Start's context; guarded by lifecycle
}

// running is what there is between Start and Stop.
type running struct {
	t      *Transport
	host   inbound.Host
	base   context.Context //nolint:containedctx // Start's: messages wait for a handler until it ends
	server *ingress.Server // nil where somebody else listens
	work   sync.WaitGroup  // goroutines of sockets

	mu       sync.Mutex
	stopping bool
	sockets  map[*socket]struct{}
	empty    chan struct{} // closed when it is stopping and there are no sockets
}

// New returns a transport that listens at host:port once it is started. Port 0 is
// any that is free. The error joins all that is wrong with the options.
func New(address string, options Options) (*Transport, error) {
	if err := options.validate(address); err != nil {
		return nil, fmt.Errorf("wsin options: %w", err)
	}
	t := &Transport{address: address, options: options.withDefaults(), scheme: "ws"}
	if options.Server.TLS != nil {
		t.scheme = "wss"
	}
	t.Format = options.WireFormat
	t.upgrader = websocket.Upgrader{
		HandshakeTimeout: t.options.WriteTimeout,
		ReadBufferSize:   1 << 10, // what is longer is read past it
		WriteBufferSize:  4 << 10,
		WriteBufferPool:  new(sync.Pool),
		CheckOrigin:      t.checkOrigin,
		Error:            t.refuseHandshake,

		EnableCompression: t.options.Compression,
	}
	return t, nil
}

// Scheme implements [inbound.Transport].
func (t *Transport) Scheme() string { return t.scheme }

// Address implements [inbound.Transport]. Where somebody else listens, it is the
// address that New was given, which may be none.
func (t *Transport) Address() string {
	now := t.running.Load()
	switch {
	case now != nil && now.server != nil:
		return t.scheme + "://" + now.server.Addr().String()
	case now != nil && t.address != "":
		return t.scheme + "://" + t.address
	}
	return ""
}

// Start implements [inbound.Transport].
func (t *Transport) Start(ctx context.Context, host inbound.Host) error {
	return t.lifecycle.StartWith(func() error {
		now := &running{t: t, host: host, base: ctx, sockets: map[*socket]struct{}{}, empty: make(chan struct{})}
		ready := make(chan struct{})
		if !t.options.NoListener {
			server, err := ingress.Listen(ctx, t.address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-ready
				t.ServeHTTP(w, r)
			}), t.options.Server)
			if err != nil {
				return err
			}
			now.server = server
		}
		t.running.Store(now)
		close(ready)
		t.release = transport.AfterCancel(ctx, now.abort)
		return nil
	})
}

// Stop implements [inbound.Transport].
func (t *Transport) Stop(ctx context.Context) error {
	return t.lifecycle.StopWith(func() error {
		now := t.running.Load()
		gone := now.drain()
		if now.server != nil {
			if err := now.server.Shutdown(ctx); err != nil {
				return fmt.Errorf("handshakes are under way: %w", err)
			}
		}
		if err := transport.Wait(ctx, gone); err != nil {
			return fmt.Errorf("messages are under way: %w", err)
		}
		now.work.Wait()
		t.release()
		t.running.Store(nil)
		return nil
	})
}

// errStopping refuses a socket.
var errStopping = errors.New("the transport is stopping")

// add counts a socket, and its goroutine.
func (n *running) add(s *socket) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopping {
		return errStopping
	}
	n.sockets[s] = struct{}{}
	n.work.Add(1)
	return nil
}

func (n *running) remove(s *socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.sockets, s)
	if n.stopping && len(n.sockets) == 0 {
		close(n.empty)
	}
	n.work.Done()
}

// drain lets every socket end when what is under way on it is done. The channel is
// closed when all have.
func (n *running) drain() <-chan struct{} {
	for _, s := range n.refuse() {
		s.drain()
	}
	return n.empty
}

// abort cuts every socket, and what comes yet.
func (n *running) abort() {
	all := n.refuse()
	if n.server != nil {
		n.server.Abort()
	}
	for _, s := range all {
		_ = s.conn.Close() // it may have gone already
	}
}

// refuse takes no more sockets, and returns those that there are.
func (n *running) refuse() []*socket {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.stopping {
		n.stopping = true
		if len(n.sockets) == 0 {
			close(n.empty)
		}
	}
	return slices.Collect(maps.Keys(n.sockets))
}

package amqppeer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// Options of a [Peer]. The zero value accepts every message and forgets it.
type Options struct {
	// ContainerID of the peer. Default: "peer".
	ContainerID string
	// Capabilities are offered when a connection opens. Default: none.
	Capabilities Symbols
	// Properties of the connection. Default: none.
	Properties Map
	// TLS secures every connection. Default: none.
	TLS *tls.Config
	// Mechanisms are the SASL mechanisms offered. Default: ANONYMOUS, PLAIN and
	// SCRAM-SHA-256, and EXTERNAL with TLS.
	Mechanisms []string
	// Users are passwords by user name. Default: nobody is known, and PLAIN takes
	// everybody.
	Users map[string]string
	// SASLCode, when not 0, is the outcome of SASL whatever the client says.
	SASLCode uint8
	// Greeting is sent in place of the protocol's header, and the connection closed:
	// what a peer sends that speaks something else.
	Greeting []byte
	// Answer settles what is transferred to an address. Default: Accept.
	Answer func(c *Conn, d *Delivery)
	// Refuse returns the error with which an attach is refused, nil for none.
	Refuse func(address string) *Error
	// Script sees each frame after SASL first, and returns whether that was all there
	// was to do. Default: it does nothing.
	Script func(c *Conn, f *Frame) bool
	// Rewrite changes what the peer sends: a frame, or the protocol's header. Default:
	// it is sent as it is.
	Rewrite func(b []byte) []byte
	// Queue keeps what was accepted for those who receive from the address.
	Queue bool
	// Credit of a link to the peer, given again when half is used. Negative: none.
	// Default: 1000.
	Credit int
	// Window is how many transfers a session takes before it says so again. Negative:
	// none. Default: 2^31-1, and never again.
	Window int
	// MaxFrame is the longest frame taken. Default: 64 KiB.
	MaxFrame uint32
	// MaxMessage is the longest message taken. Default: no limit.
	MaxMessage uint64
}

// Error is an error of the protocol.
type Error struct {
	Condition, Description string
	Info                   Map
}

func (e *Error) described() any {
	if e == nil {
		return nil
	}
	var info any
	if e.Info != nil {
		info = e.Info
	}
	return Described{uint64(ErrorList), []any{Symbol(e.Condition), e.Description, info}}
}

// Peer is an AMQP 1.0 peer. Start one with [Listen].
type Peer struct {
	options  Options
	listener net.Listener
	work     sync.WaitGroup
	// Connections counts those that were accepted, Deliveries what arrived whole.
	Connections, Deliveries atomic.Int64

	mu     sync.Mutex
	closed bool
	conns  map[*Conn]bool
	nodes  map[string]*node
}

// Listen starts a peer on a loopback port of its own, or on the address given.
func Listen(ctx context.Context, address string, options Options) (*Peer, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if options.TLS != nil {
		listener = tls.NewListener(listener, options.TLS)
	}
	p := &Peer{options: options.withDefaults(), listener: listener, conns: map[*Conn]bool{}, nodes: map[string]*node{}}
	p.work.Go(p.accept)
	return p, nil
}

func (o Options) withDefaults() Options {
	if o.ContainerID == "" {
		o.ContainerID = "peer"
	}
	if o.Mechanisms == nil {
		o.Mechanisms = []string{"ANONYMOUS", "PLAIN", "SCRAM-SHA-256"}
		if o.TLS != nil {
			o.Mechanisms = append(o.Mechanisms, "EXTERNAL")
		}
	}
	if o.Answer == nil {
		o.Answer = Accept
	}
	if o.Credit == 0 {
		o.Credit = 1000
	}
	if o.MaxFrame == 0 {
		o.MaxFrame = 64 << 10
	}
	return o
}

// Addr is the host and port that the peer listens on.
func (p *Peer) Addr() string { return p.listener.Addr().String() }

// Close ends the peer and all its connections, without a word to anybody.
func (p *Peer) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Sever()
	p.work.Wait()
}

// Sever ends all connections, without a word to anybody, and takes new ones.
func (p *Peer) Sever() {
	for _, c := range p.open() {
		_ = c.net.Close()
	}
}

// Each calls do for every connection.
func (p *Peer) Each(do func(c *Conn)) {
	for _, c := range p.open() {
		do(c)
	}
}

func (p *Peer) open() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	var open []*Conn
	for c := range p.conns {
		open = append(open, c)
	}
	return open
}

func (p *Peer) accept() {
	for {
		connection, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		c := newConn(p, connection)
		if !p.add(c) {
			_ = connection.Close()
			continue
		}
		p.Connections.Add(1)
		p.work.Go(func() {
			c.serve()
			p.remove(c)
		})
	}
}

func (p *Peer) add(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.conns[c] = true
	}
	return !p.closed
}

func (p *Peer) remove(c *Conn) {
	_ = c.net.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	for _, n := range p.nodes {
		n.leave(func(l *Link) bool { return l.conn == c })
	}
}

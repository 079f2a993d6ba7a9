package wsout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
)

// Defaults of [Options] that the configuration of an agent has too.
const (
	DefaultConnections     = 1
	DefaultMaxConnsPerHost = 50
	DefaultIdleTimeout     = 5 * time.Minute
	DefaultPingInterval    = 30 * time.Second
)

// Options of a [Transport]. The zero value is ready to use.
type Options struct {
	// Mode says whether messages share connections. A profile's ws.mode goes
	// before it. Default: Shared.
	Mode Mode
	// Ack is what acknowledges a message. A profile's ws.ack goes before it.
	// Default: AckNone.
	Ack Ack
	// AckPointer is the JSON pointer (RFC 6901) to the id in a reply, for AckReply.
	// Empty: the reply is the id, as text. A profile's ws.ack_pointer goes before
	// it. Default: empty.
	AckPointer string
	// ReplyID, where it is set, recognises replies in the place of AckPointer: it
	// returns the id, or the idempotency key, of the message that a frame
	// acknowledges. It is called by one goroutine for each connection, and must not
	// keep the payload.
	ReplyID func(ctx context.Context, f Frame) (id string, ok bool)
	// Connections is how many connections messages of one profile to one destination
	// share at most. A profile's ws.connections goes before it. Default: 1.
	Connections int
	// MaxConnsPerHost bounds the connections of one profile to one host and port.
	// Beyond it the connection that was idle longest makes room. Default: 50.
	MaxConnsPerHost int
	// MaxConns bounds the connections of the transport, in the same way.
	// Default: 4096.
	MaxConns int

	// HandshakeTimeout bounds a new connection, from looking up the name to the
	// peer's answer. Default: 15 s.
	HandshakeTimeout time.Duration
	// ReconnectWait is how long the next connection waits at most after one that
	// failed or was lost; it doubles with each that follows, up to
	// MaxReconnectWait. Each wait is random, from nothing. Default: 100 ms and 5 s.
	ReconnectWait, MaxReconnectWait time.Duration
	// IdleTimeout is when a connection without messages is closed. Default: 5 min.
	IdleTimeout time.Duration
	// MaxAge is when a connection is closed and replaced, up to a tenth earlier, at
	// random. Default: 1 h.
	MaxAge time.Duration
	// PingInterval is how often a connection is pinged. Default: 30 s.
	PingInterval time.Duration
	// PongTimeout is after how much silence a connection counts as dead.
	// Default: twice the PingInterval.
	PongTimeout time.Duration
	// WriteTimeout bounds a write to the socket. Default: 10 s.
	WriteTimeout time.Duration
	// CloseTimeout bounds the wait for the peer's part of the closing handshake.
	// Default: 3 s.
	CloseTimeout time.Duration

	// MaxMessageBytes bounds a payload. Default: 16 MiB.
	MaxMessageBytes int
	// MaxInboundBytes bounds a message of the peer, inflated. Default: 1 MiB.
	MaxInboundBytes int
	// WindowFrames and WindowBytes bound what one connection has written and the
	// peer has not acknowledged. A message that is larger than the window goes
	// alone. Default: 1024 and 16 MiB.
	WindowFrames, WindowBytes int
	// Compression offers permessage-deflate (RFC 7692). Default: it is not used.
	Compression bool

	// WireFormat is the name of the transport's wire format. Default: none, so
	// that the profile's is used.
	WireFormat string
	// OnFrame is called with each message of a peer that is no acknowledgement, one
	// at a time for each connection. ctx ends with the hard stop. While it does not
	// return, sixteen more wait, and then nothing of the connection is read. A peer
	// whose ping begins with "outrider:", as an Outrider's does behind a message to a
	// session, gets the pong when the messages before it have been handled; where an
	// error was returned for one, the connection is closed with 1013 in its place.
	// Default: such messages are dropped.
	OnFrame func(ctx context.Context, f Frame) error
	// FrameTimeout is how long a message of the peer waits for OnFrame before the
	// connection is closed with 1013. Default: 10 s.
	FrameTimeout time.Duration
	// OnState is told of each connection that is up, and that is gone. It is called
	// by many goroutines and must not wait. Default: nobody is told.
	OnState func(s State)
	// Egress are the options of the dialers. Phases are observed by the
	// transport's collector as well.
	Egress egress.Options
	// Logger is told of profiles that do not verify certificates, and of an OnFrame
	// that panics. Default: none.
	Logger *zap.Logger
}

// Frame is a message of a peer.
type Frame struct {
	Profile  *profile.Profile   // whose connection it came on
	Endpoint transport.Endpoint // that the connection was made for
	Text     bool
	Payload  []byte // the callee's to keep
}

// State says that a connection is up, or gone.
type State struct {
	Profile   *profile.Profile
	Endpoint  transport.Endpoint
	Connected bool
	// Code says why it is gone: the peer's close code, or one of the package's
	// codes. Empty where this side closed it.
	Code string
}

func (o Options) validate() error {
	var faults []error
	for _, field := range []struct {
		name  string
		value int64
	}{
		{"connections", int64(o.Connections)},
		{"max conns per host", int64(o.MaxConnsPerHost)},
		{"max conns", int64(o.MaxConns)},
		{"handshake timeout", int64(o.HandshakeTimeout)},
		{"reconnect wait", int64(o.ReconnectWait)},
		{"max reconnect wait", int64(o.MaxReconnectWait)},
		{"idle timeout", int64(o.IdleTimeout)},
		{"max age", int64(o.MaxAge)},
		{"ping interval", int64(o.PingInterval)},
		{"pong timeout", int64(o.PongTimeout)},
		{"write timeout", int64(o.WriteTimeout)},
		{"close timeout", int64(o.CloseTimeout)},
		{"max message bytes", int64(o.MaxMessageBytes)},
		{"max inbound bytes", int64(o.MaxInboundBytes)},
		{"window frames", int64(o.WindowFrames)},
		{"window bytes", int64(o.WindowBytes)},
		{"frame timeout", int64(o.FrameTimeout)},
	} {
		if field.value < 0 {
			faults = append(faults, fmt.Errorf("%s is negative", field.name))
		}
	}
	for _, err := range []error{o.Mode.validate(), o.Ack.validate()} {
		if err != nil {
			faults = append(faults, err)
		}
	}
	if _, err := parsePointer(o.AckPointer); err != nil {
		faults = append(faults, fmt.Errorf("ack pointer %w", err))
	}
	d := o.withDefaults()
	if d.PongTimeout <= d.PingInterval {
		faults = append(faults, errors.New("pong timeout is not longer than the ping interval: no pong could come in time"))
	}
	if d.Connections > d.MaxConnsPerHost {
		faults = append(faults, errors.New("connections is more than max conns per host"))
	}
	if d.MaxReconnectWait < d.ReconnectWait {
		faults = append(faults, errors.New("max reconnect wait is shorter than reconnect wait"))
	}
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	o.Mode = cmp.Or(o.Mode, Shared)
	o.Ack = cmp.Or(o.Ack, AckNone)
	o.Connections = cmp.Or(o.Connections, DefaultConnections)
	o.MaxConnsPerHost = cmp.Or(o.MaxConnsPerHost, DefaultMaxConnsPerHost)
	o.MaxConns = cmp.Or(o.MaxConns, 4096)
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, 15*time.Second)
	o.ReconnectWait = cmp.Or(o.ReconnectWait, 100*time.Millisecond)
	o.MaxReconnectWait = cmp.Or(o.MaxReconnectWait, max(5*time.Second, o.ReconnectWait))
	o.IdleTimeout = cmp.Or(o.IdleTimeout, DefaultIdleTimeout)
	o.MaxAge = cmp.Or(o.MaxAge, time.Hour)
	o.PingInterval = cmp.Or(o.PingInterval, DefaultPingInterval)
	o.PongTimeout = cmp.Or(o.PongTimeout, 2*o.PingInterval)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	o.CloseTimeout = cmp.Or(o.CloseTimeout, 3*time.Second)
	o.MaxMessageBytes = cmp.Or(o.MaxMessageBytes, 16<<20)
	o.MaxInboundBytes = cmp.Or(o.MaxInboundBytes, 1<<20)
	o.WindowFrames = cmp.Or(o.WindowFrames, 1024)
	o.WindowBytes = cmp.Or(o.WindowBytes, 16<<20)
	o.FrameTimeout = cmp.Or(o.FrameTimeout, 10*time.Second)
	if o.OnState == nil {
		o.OnState = func(State) {}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// messageIDHeader has the message's id, in the handshake of a connection that is
// one message's own.
const messageIDHeader = "Message-Id"

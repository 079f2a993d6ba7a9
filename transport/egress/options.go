package egress

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// Phases of a connection, as Options.Observe is told of them.
const (
	PhaseDNS     = "dns"
	PhaseConnect = "connect"
	PhaseTLS     = "tls"
)

// Options of a [Dialer]. The zero value is ready to use.
type Options struct {
	// DialTimeout bounds looking up the name and connecting, together.
	// Default: 10 s.
	DialTimeout time.Duration
	// HandshakeTimeout bounds the TLS handshake. Default: 10 s.
	HandshakeTimeout time.Duration
	// KeepAlive finds idle connections whose peer is gone. Default: a probe after
	// 15 s of silence, then each 15 s, and the end after 4 without an answer.
	KeepAlive net.KeepAliveConfig
	// UserTimeout is how long written bytes may stay without the peer's
	// acknowledgement before the connection is given up. Linux only, to the
	// millisecond. Negative: as the kernel has it. Default: 30 s.
	UserTimeout time.Duration
	// Resolver looks names up. Default: the system's.
	Resolver *net.Resolver
	// Observe is told how long each phase of a connection took, whether it
	// succeeded or not. It is called by many goroutines. Default: nobody is told.
	Observe func(phase string, took time.Duration)
}

func (o Options) validate() error {
	var faults []error
	if o.DialTimeout < 0 {
		faults = append(faults, fmt.Errorf("dial timeout is negative: give a duration such as 10s"))
	}
	if o.HandshakeTimeout < 0 {
		faults = append(faults, fmt.Errorf("handshake timeout is negative: give a duration such as 10s"))
	}
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	if o.DialTimeout == 0 {
		o.DialTimeout = 10 * time.Second
	}
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.KeepAlive == (net.KeepAliveConfig{}) {
		o.KeepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}
	}
	if o.UserTimeout == 0 {
		o.UserTimeout = 30 * time.Second
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration) {}
	}
	return o
}

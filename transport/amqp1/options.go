package amqp1

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Options of a [Container]. The zero value is ready to use.
type Options struct {
	// IdleTimeout is how long a connection may be silent before it is given up; the
	// peer is asked for a sign of life after half of it. Default: 30 s.
	IdleTimeout time.Duration
	// WriteTimeout is how long one write may take. Default: 10 s.
	WriteTimeout time.Duration
	// OpenTimeout bounds SASL and open, after the connection is there. Default: 10 s.
	OpenTimeout time.Duration
	// BeginTimeout is how long a session may take to begin on a connection that is
	// open, before another connection is tried. Default: 2 s.
	BeginTimeout time.Duration
	// AttachTimeout bounds the attach of a link. Default: 10 s.
	AttachTimeout time.Duration
	// StallTimeout is how long a link may not take a message that it gave credit for,
	// before it is closed. Default: 10 s.
	StallTimeout time.Duration
	// CreditTimeout is how long a message waits for credit. Default: 10 s.
	CreditTimeout time.Duration
	// OutcomeTimeout is how long an outcome is awaited after its sender gave up.
	// Default: 1 min.
	OutcomeTimeout time.Duration
	// UnusedTimeout is when a link without work is detached, and with the last one
	// its connection closed. Default: 5 min.
	UnusedTimeout time.Duration
	// RefusedFor is how long a refused link is not tried again. Default: 5 s.
	RefusedFor time.Duration
	// MaxFrameSize is the longest frame that a peer may send, in bytes. Default:
	// 256 KiB. At most 16 MiB.
	MaxFrameSize uint32
	// MaxConnections to one peer with the same credentials. Default: 4.
	MaxConnections int
	// LinksPerConnection is how many links share a connection before another is
	// opened. Default: 64. At most 256.
	LinksPerConnection int
	// MaxSenders bounds the senders that are remembered. Default: 4096.
	MaxSenders int
	// Product and Version are told to peers. Default: "outrider", and none.
	Product, Version string
	// OnEvent is told what happens, by the goroutine to which it happens: it must not
	// wait. Default: nobody is told.
	OnEvent func(Event)
	// Trace is told of each frame, likewise. Default: nobody is told.
	Trace func(Frame)
	// Observe is told how long something took: "sasl", "open", "attach", "settle".
	// Default: nobody is told.
	Observe func(phase string, took time.Duration)
}

const (
	mostFrame = 16 << 20
	mostLinks = 256
)

func (o Options) validate() error {
	var faults []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"idle timeout", o.IdleTimeout}, {"write timeout", o.WriteTimeout}, {"open timeout", o.OpenTimeout},
		{"begin timeout", o.BeginTimeout},
		{"attach timeout", o.AttachTimeout}, {"stall timeout", o.StallTimeout}, {"credit timeout", o.CreditTimeout},
		{"outcome timeout", o.OutcomeTimeout}, {"unused timeout", o.UnusedTimeout}, {"refused for", o.RefusedFor},
	} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("%s is negative: give a duration such as 10s", d.name))
		}
	}
	if o.MaxFrameSize != 0 && (o.MaxFrameSize < 512 || o.MaxFrameSize > mostFrame) {
		faults = append(faults, fmt.Errorf("max frame size %d: want 512 to %d bytes", o.MaxFrameSize, mostFrame))
	}
	if o.MaxConnections < 0 || o.MaxSenders < 0 {
		faults = append(faults, errors.New("max connections or max senders is negative"))
	}
	if o.LinksPerConnection < 0 || o.LinksPerConnection > mostLinks {
		faults = append(faults, fmt.Errorf("links per connection %d: want 1 to %d", o.LinksPerConnection, mostLinks))
	}
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 30*time.Second)
	for _, d := range []*time.Duration{&o.WriteTimeout, &o.OpenTimeout, &o.AttachTimeout, &o.StallTimeout, &o.CreditTimeout} {
		*d = cmp.Or(*d, 10*time.Second)
	}
	o.BeginTimeout = cmp.Or(o.BeginTimeout, 2*time.Second)
	o.OutcomeTimeout = cmp.Or(o.OutcomeTimeout, time.Minute)
	o.UnusedTimeout = cmp.Or(o.UnusedTimeout, 5*time.Minute)
	o.RefusedFor = cmp.Or(o.RefusedFor, 5*time.Second)
	o.MaxFrameSize = cmp.Or(o.MaxFrameSize, 256<<10)
	o.MaxConnections = cmp.Or(o.MaxConnections, 4)
	o.LinksPerConnection = cmp.Or(o.LinksPerConnection, 64)
	o.MaxSenders = cmp.Or(o.MaxSenders, 4096)
	o.Product = cmp.Or(o.Product, "outrider")
	return o
}

func (o Options) observe(phase string, since time.Time) {
	if o.Observe != nil {
		o.Observe(phase, time.Since(since))
	}
}

package wsin

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/ingress"
)

// Acks says when a message counts as delivered to a session.
type Acks string

// The acknowledgements there are.
const (
	AckPing Acks = "ping" // when a pong has come for the ping behind it
	AckNone Acks = "none" // when it is written
)

// Subprotocol is one that a peer may choose.
type Subprotocol struct {
	Name string
	// WireFormat is the name of the format of what is sent by it. Default: the
	// transport's.
	WireFormat string
}

// DefaultConcurrency is the Concurrency of [Options] that say none.
const DefaultConcurrency = 1

// Options of a [Transport]. The zero value works.
type Options struct {
	// Server are the limits of the server, its TLS, and a listener where it is not to
	// make one. Its MaxConns counts the sockets, too. Default of that: 16384.
	Server ingress.Options
	// NoListener leaves the listening to somebody else, who calls ServeHTTP. Default:
	// the transport listens.
	NoListener bool

	// MaxMessageBytes bounds a message, also when inflated. Default: 2 MiB.
	MaxMessageBytes int
	// MessageTimeout bounds the time from the first to the last byte of a message.
	// Default: 1 min.
	MessageTimeout time.Duration
	// Heartbeat is how often a silent peer gets a ping, and Timeout when one is hung
	// up on. Negative is never. Default: 3 s, 15 s.
	Heartbeat, Timeout time.Duration
	// WriteTimeout bounds the writing of a message. Default: 10 s.
	WriteTimeout time.Duration
	// CloseTimeout bounds the wait for a peer to answer a close frame. Default: 2 s.
	CloseTimeout time.Duration

	// AllowedOrigins are pages that browsers may connect from, such as
	// https://app.example.com. Default: those of the same host.
	AllowedOrigins []string
	// Subprotocols in the order of preference. Default: none is chosen.
	Subprotocols []Subprotocol
	// Compression is agreed to where the peer offers it (RFC 7692). It costs memory
	// and time. Default: no.
	Compression bool
	// Concurrency is how many messages of one socket are handled at once. More than
	// one gives up their order. Default: 1.
	Concurrency int
	// Waiting is how many messages of one socket may wait to be handled before it is
	// not read any further. Default: 16.
	Waiting int
	// Acks says when a message counts as delivered. Default: AckPing.
	Acks Acks
	// CloseOnFailure ends a socket when a message on it was not handled, by a failure
	// of ours or for want of room. Default: it stays open.
	CloseOnFailure bool
	// WireFormat is the name of the transport's wire format. Default: what a message
	// shows, and the profile's.
	WireFormat string
}

func (o Options) validate(address string) error {
	faults := []error{o.Server.Validate()}
	for _, field := range []struct {
		name     string
		negative bool
	}{
		{"MaxMessageBytes", o.MaxMessageBytes < 0},
		{"MessageTimeout", o.MessageTimeout < 0},
		{"WriteTimeout", o.WriteTimeout < 0},
		{"CloseTimeout", o.CloseTimeout < 0},
		{"Concurrency", o.Concurrency < 0},
		{"Waiting", o.Waiting < 0},
	} {
		if field.negative {
			faults = append(faults, fmt.Errorf("%s is negative", field.name))
		}
	}
	if _, _, err := net.SplitHostPort(address); err != nil && o.Server.Listener == nil && !o.NoListener {
		faults = append(faults, errors.New("the address is not host:port"))
	}
	return errors.Join(append(faults, o.validatePeers())...)
}

// validatePeers checks what is about the peers.
func (o Options) validatePeers() error {
	faults := []error{ingress.CheckOrigins(o.AllowedOrigins)}
	if o.Acks != "" && o.Acks != AckPing && o.Acks != AckNone {
		faults = append(faults, fmt.Errorf("Acks is %q: want %q or %q", o.Acks, AckPing, AckNone))
	}
	for _, p := range o.Subprotocols {
		if p.Name == "" || strings.ContainsAny(p.Name, " ,;\"\t\r\n") {
			faults = append(faults, fmt.Errorf("sub-protocol %q is not a token", p.Name))
		}
	}
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	o.Server.MaxConns = cmp.Or(o.Server.MaxConns, 16384)
	o.MaxMessageBytes = cmp.Or(o.MaxMessageBytes, inbound.DefaultMaxMessageBytes)
	o.MessageTimeout = cmp.Or(o.MessageTimeout, time.Minute)
	o.Heartbeat = cmp.Or(o.Heartbeat, 3*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	o.CloseTimeout = cmp.Or(o.CloseTimeout, 2*time.Second)
	o.Concurrency = cmp.Or(o.Concurrency, DefaultConcurrency)
	o.Waiting = cmp.Or(o.Waiting, 16)
	o.Acks = cmp.Or(o.Acks, AckPing)
	return o
}

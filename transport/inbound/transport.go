package inbound

import (
	"context"
	"sync"

	"github.com/outrider-go/outrider/stats"
)

// Transport receives messages: ACA-Py's BaseInboundTransport. Embed [Base] for a
// collector and a wire format. Any number of them may be registered, also several of
// one scheme, each with an address of its own.
type Transport interface {
	// Scheme it receives by, such as "http" or "wss". Asked once, when the
	// transport is registered.
	Scheme() string

	// Start begins to receive, and returns when it does. For each connection it
	// opens a session with host. Cancelling ctx later is the hard stop: every
	// connection ends at once.
	Start(ctx context.Context, host Host) error

	// Stop takes nothing new, lets what has been received be handled and answered,
	// and ends every connection. ctx bounds the wait: when it ends, Stop returns
	// its error and may be called again. It may be called before Start, and twice.
	Stop(ctx context.Context) error

	// Address is where it receives while it is started, such as
	// http://127.0.0.1:8020, and empty otherwise.
	Address() string
}

// Host is what a transport gets messages handled by: the [Manager].
type Host interface {
	// Open begins the session of a connection. The transport closes the session
	// when the connection has ended. The error is [ErrBusy] where there are as many
	// sessions as there may be, and [ErrStopped].
	Open(origin *Origin, options SessionOptions) (*Session, error)
}

// WireFormatter is a Transport with a wire format of its own, by name: everything
// that it receives is parsed by it. Empty is none.
type WireFormatter interface {
	WireFormat() string
}

// Collected is a Transport with a stats collector. The manager adds to it the
// duration of each message under "handle", the bytes both ways, and what was
// refused by its [Refusal].
type Collected interface {
	Collector() *stats.Collector
}

// Base is what a transport embeds to have a collector and a wire format. The
// zero value is ready: the collector is made on first use.
type Base struct {
	// Format is the name of the transport's wire format, empty for none.
	Format string

	once      sync.Once
	collector *stats.Collector
}

// Collector returns the transport's collector.
func (b *Base) Collector() *stats.Collector {
	b.once.Do(func() { b.collector = stats.New() })
	return b.collector
}

// WireFormat implements [WireFormatter].
func (b *Base) WireFormat() string { return b.Format }

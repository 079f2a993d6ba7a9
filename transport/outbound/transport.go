package outbound

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
)

// Transport delivers messages over the schemes it names: ACA-Py's
// BaseOutboundTransport. Embed [Base] for a collector and a wire format.
type Transport interface {
	// Schemes it serves, such as "http" and "https". Asked once, when the
	// transport is registered.
	Schemes() []string

	// Start makes the transport ready. It is called once before the first
	// message, and cancelling ctx later is the hard stop: attempts end at once.
	Start(ctx context.Context) error

	// Stop gives everything back, when no attempt is under way any more. ctx
	// bounds the wait. It may be called before Start, and twice.
	Stop(ctx context.Context) error

	// HandleMessage makes one attempt to deliver m, and returns what is known of
	// its arrival. It never retries: the queue does. Many goroutines call it at
	// once. Neither m nor what it refers to may be changed.
	//
	// ctx ends when the attempt's time is over, or with the hard stop. m and ctx
	// serve other attempts after the call: a transport that needs m for longer
	// copies it (the copy's Payload and Metadata stay as they are), and one that
	// leaves something running makes a context of its own for it. Whether a
	// context made from ctx met the deadline or the hard stop is told by
	// context.Cause, not by its Err.
	//
	// What the receipt says counts beside an error, too: a receiver may have
	// acknowledged what is to be attempted again.
	//
	// An error that is no [*DeliveryError] counts as temporary, and as one after
	// which the payload may have arrived. So does a panic, and a call of
	// runtime.Goexit. Of an error 4 KiB are kept, of an answer 64 KiB.
	HandleMessage(ctx context.Context, m *Message) (Receipt, error)
}

// Receipt is what a transport knows of a payload it delivered. It is the manager's
// from then on.
type Receipt struct {
	Evidence transport.Evidence
	Code     string // the protocol's own word: "200", "accepted"
	Note     string // what is worth remarking: "response body cut short"
	Response []byte // the start of what the peer answered
}

// External is a Transport that hands messages to a queue of somebody else, which
// delivers them: ACA-Py's is_external.
type External interface {
	IsExternal() bool
}

// WireFormatter is a Transport with a wire format of its own, by name. It beats
// the profile's and is beaten by the message's. Empty is none.
type WireFormatter interface {
	WireFormat() string
}

// Checker is a Transport that can tell, without connecting, that it will never
// deliver to an endpoint. It is asked when a message is accepted.
type Checker interface {
	CheckMessage(ctx context.Context, m *Message) error
}

// Collected is a Transport with a stats collector.
type Collected interface {
	Collector() *stats.Collector
}

// Named is a Transport with a name of its own: that is what statistics, events and
// errors call it. Default: its first scheme.
type Named interface {
	Name() string
}

// nameOf returns what users know a transport by. One without schemes is never
// registered, and its author knows its type.
func nameOf(t Transport, schemes []string) string {
	if named, ok := t.(Named); ok && named.Name() != "" {
		return named.Name()
	}
	if len(schemes) == 0 {
		return fmt.Sprintf("%T", t)
	}
	return strings.ToLower(schemes[0])
}

// Base is what a transport embeds to have a collector and a wire format. The
// zero value is ready: the collector is made on first use.
type Base struct {
	// Format is the name of the transport's wire format, empty for none.
	Format string

	once      sync.Once
	collector *stats.Collector
	fallback  *profile.Profile // for messages without one
}

func (b *Base) init() {
	b.once.Do(func() { b.collector, b.fallback = stats.New(), profile.Default() })
}

// Collector returns the transport's collector.
func (b *Base) Collector() *stats.Collector {
	b.init()
	return b.collector
}

// ProfileOf returns the message's profile. A message that comes past the manager may
// have none; then it is the default one, always the same.
func (b *Base) ProfileOf(m *Message) *profile.Profile {
	if m.Profile != nil {
		return m.Profile
	}
	b.init()
	return b.fallback
}

// WireFormat implements [WireFormatter].
func (b *Base) WireFormat() string { return b.Format }

// abilities are the optional interfaces of a transport, asserted once.
type abilities struct {
	done      Status // of what it has delivered; empty: it says nothing new
	format    string
	checker   Checker
	collector *stats.Collector
	limiter   EvidenceLimiter
}

// statusOf is the status of a message that has been delivered. What was merely
// written to an external queue has not been confirmed by it.
func (a *abilities) statusOf(r *Receipt) Status {
	if a.done == StatusSentToExternalQueue && r.Evidence < transport.Acknowledged {
		return ""
	}
	return a.done
}

func abilitiesOf(t Transport) abilities {
	var a abilities
	if external, ok := t.(External); ok && external.IsExternal() {
		a.done = StatusSentToExternalQueue
	}
	if _, ok := t.(*peerTransport); ok {
		a.done = StatusSentToSession
	}
	if formatter, ok := t.(WireFormatter); ok {
		a.format = formatter.WireFormat()
	}
	a.checker, _ = t.(Checker)
	a.limiter, _ = t.(EvidenceLimiter)
	if collected, ok := t.(Collected); ok {
		a.collector = collected.Collector()
	}
	return a
}

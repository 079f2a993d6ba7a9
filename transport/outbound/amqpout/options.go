package amqpout

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/egress"
)

// Options of a [Transport]. The zero value is ready to use.
type Options struct {
	// AMQP are the options of the connections and links. OnEvent and Observe are
	// called besides what the transport does itself.
	AMQP amqp1.Options
	// Egress are the options of the dialers.
	Egress egress.Options
	// RefusedGrace is how long, from when a message was queued, a refusal of the link
	// or of our credentials counts as temporary: queues are made, and passwords
	// changed, a little late. Negative: not at all. Default: 1 h.
	RefusedGrace time.Duration
	// CreditPause is how long a destination without credit is left alone. Default: 5 s.
	CreditPause time.Duration
	// MaxReleases is how many times in a row a message may be released before it is
	// unroutable: RabbitMQ 4 releases what has no queue. Negative: any number.
	// Default: 10.
	MaxReleases int
	// WireFormat is the name of the transport's wire format. Default: none, so that
	// the profile's is used.
	WireFormat string
	// OnState is told when a connection is up, and when it is gone. It must not wait.
	// Default: nobody is told.
	OnState func(State)
	// Logger is told what happens to connections and links, and at debug level of each
	// frame. Default: none.
	Logger *zap.Logger
}

func (o Options) validate() error {
	var faults []error
	if o.CreditPause < 0 {
		faults = append(faults, errors.New("credit pause is negative: give a duration such as 5s"))
	}
	if _, err := amqp1.New(o.AMQP); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("amqpout options: %w", err)
	}
	return nil
}

func (o Options) withDefaults() Options {
	o.RefusedGrace = max(cmp.Or(o.RefusedGrace, time.Hour), 0)
	o.CreditPause = cmp.Or(o.CreditPause, 5*time.Second)
	o.MaxReleases = cmp.Or(o.MaxReleases, 10)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// State is that of a connection.
type State struct {
	Connected bool
	// Profile is the id of whose it is, and Endpoint the peer, as a URI without a path.
	Profile, Endpoint string
	// Code says why the connection is gone, empty where it was closed on purpose.
	Code string
}

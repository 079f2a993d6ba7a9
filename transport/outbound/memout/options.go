package memout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// DefaultCapacity is how many deliveries a mailbox holds where the options do
// not say.
const DefaultCapacity = 1024

// Options of a [Transport]. The zero value works.
type Options struct {
	// Schemes it serves, in lower case. Default: "mem".
	Schemes []string
	// Capacity is how many deliveries each mailbox holds. Negative keeps none,
	// for those who look at messages in Respond. Default: 1024.
	Capacity int
	// Respond plays the destination and decides the outcome of an attempt. It is
	// called by many goroutines at once; its ctx ends with the attempt or with
	// the transport. A receipt without evidence counts as acknowledged. An error
	// that is no [*outbound.DeliveryError] counts as temporary, and as unknown
	// when it is the context's. Default: it takes everything.
	Respond func(ctx context.Context, m *outbound.Message) (outbound.Receipt, error)
	// WireFormat is the name of the transport's wire format. Default: none.
	WireFormat string
}

// withDefaults returns a copy with the defaults in place.
func (o Options) withDefaults() (Options, error) {
	o.Schemes = slices.Clone(o.Schemes)
	if len(o.Schemes) == 0 {
		o.Schemes = []string{"mem"}
	}
	if o.Capacity == 0 {
		o.Capacity = DefaultCapacity
	}
	if o.Respond == nil {
		o.Respond = func(context.Context, *outbound.Message) (outbound.Receipt, error) {
			return outbound.Receipt{}, nil
		}
	}
	return o, o.validate()
}

func (o Options) validate() error {
	var faults []error
	for _, scheme := range o.Schemes {
		if endpoint, err := transport.ParseEndpoint(scheme + "://host"); err != nil || endpoint.Scheme() != scheme {
			faults = append(faults, fmt.Errorf("memout: options: Schemes: %q is not a scheme in lower case (RFC 3986)", scheme))
		}
	}
	return errors.Join(faults...)
}

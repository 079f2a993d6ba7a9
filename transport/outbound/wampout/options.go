package wampout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// Options of a [Transport]. The zero value is ready to use.
type Options struct {
	// Serializers are offered to routers, the best first. Default: cbor, msgpack and
	// json.
	Serializers []*wamp.Serializer
	// Codec encodes payloads end to end, such as a wamp.KeyRing. The profile's settings
	// go before it and Style. Default: none.
	Codec wamp.Codec
	// Style is how encoded payloads are marked. Routers such as nexus pass only
	// wamp.StylePPT on. Default: autobahn's.
	Style wamp.Style
	// JoinTimeout bounds connecting and joining. Default: 20 s.
	JoinTimeout time.Duration
	// IdleTimeout is when a session that nobody uses is left. Default: 5 minutes.
	IdleTimeout time.Duration
	// MaxSessions bounds the sessions at one time. Default: 1000.
	MaxSessions int
	// MaxMessage bounds WAMP messages in both directions, in bytes. Default: 16 MiB.
	MaxMessage int64
	// KeepResponse is how much of a call's result is kept with the attempt, as JSON,
	// in bytes. Negative: none. Default: 1 KiB.
	KeepResponse int
	// WireFormat is the name of the transport's wire format. Default: none, so that
	// the profile's is used.
	WireFormat string
	// OnReply is called with the result of each call, during the attempt and with its
	// context. m is only to be read. An error says that the result may be taken another
	// time: the attempt is unknown, keeps its evidence, and is made again. What can never
	// be taken is no error. Default: results are dropped.
	OnReply func(ctx context.Context, m *outbound.Message, result wamp.Payload) error
	// Logger is told of an OnReply that panics. Default: none.
	Logger *zap.Logger
	// Egress are the options of the dialers. Phases are observed by the transport's
	// collector as well.
	Egress egress.Options
}

func (o Options) validate() error {
	var faults []error
	negative := func(name string, is bool) {
		if is {
			faults = append(faults, fmt.Errorf("%s is negative", name))
		}
	}
	negative("join timeout", o.JoinTimeout < 0)
	negative("idle timeout", o.IdleTimeout < 0)
	negative("max sessions", o.MaxSessions < 0)
	negative("max message", o.MaxMessage < 0)
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	o.JoinTimeout = cmp.Or(o.JoinTimeout, 20*time.Second)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 5*time.Minute)
	o.MaxSessions = cmp.Or(o.MaxSessions, 1000)
	o.MaxMessage = cmp.Or(o.MaxMessage, 16<<20)
	o.KeepResponse = max(cmp.Or(o.KeepResponse, 1<<10), 0)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

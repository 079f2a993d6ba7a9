package inbound

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

// Defaults of [Options].
const (
	DefaultHandlers          = 256
	DefaultHandlerTimeout    = 30 * time.Second
	DefaultReplyWait         = 10 * time.Second
	DefaultMaxSessions       = 16384
	DefaultMaxSessionAge     = 24 * time.Hour
	DefaultMaxBytes          = 256 << 20
	DefaultMaxReplies        = 256
	DefaultMaxReplyBytes     = 4 << 20
	DefaultMaxKeysPerSession = 256
)

// Options of a [Manager]. The zero value works.
type Options struct {
	// Tenants says whom each message is for. Default: the default profile, for all.
	Tenants Tenants
	// Formats are the wire formats by name. Default: the built-in ones.
	Formats *wireformat.Registry
	// Events takes the events. Default: a bus of the manager's own, which Stop
	// closes.
	Events *event.Bus
	// Logger. Default: none.
	Logger *zap.Logger
	// TopicPrefix begins every topic. Default: empty.
	TopicPrefix string

	// Handlers is how many messages are handled at once. Default: 256.
	Handlers int
	// HandlerTimeout is when a handler's context ends. Default: 30 s.
	HandlerTimeout time.Duration
	// ReplyWait is how long a session that can answer once is held open for a
	// message that was announced by Reaches. Default: 10 s.
	ReplyWait time.Duration

	// MaxSessions bounds the open sessions, and MaxSessionsPerProfile those of one
	// profile; a session belongs to each profile it has brought a message for.
	// Default: 16384, and no limit for one profile.
	MaxSessions, MaxSessionsPerProfile int
	// MaxSessionAge is when a session is ended, so that its peer opens another. The
	// link to a node of a broker stays. Negative is no limit. Default: 24 h.
	MaxSessionAge time.Duration
	// MaxBytes bounds what all sessions together have received of messages that are
	// not handled yet. Default: 256 MiB.
	MaxBytes int64
	// MaxReplies and MaxReplyBytes bound what waits to be written to one session.
	// One message is always taken. Default: 256 messages, 4 MiB.
	MaxReplies, MaxReplyBytes int
	// MaxKeysPerSession is how many keys one session may have asked messages for.
	// What more of them ask for is not heeded. Default: 256.
	MaxKeysPerSession int

	// TrustUnsignedSenders lets a message name its sender without proof, as ACA-Py
	// does: whoever knows a key may then take the messages for it. Default: only a
	// sender that the wire format has proven counts (wireformat.Receipt.Authenticated).
	TrustUnsignedSenders bool

	// OnArrival is told that a session begins to take messages for the keys, takes
	// more of them than before, or has room again after it was full. It must not wait. A session that can answer
	// once is held open for what Reaches announces during the call. Default: nobody
	// is told.
	OnArrival func(profile string, keys []string)
	// Unsent takes a handler's reply that was not written to its session, or of
	// which that is not certain. Default: such a reply is lost, and logged.
	Unsent func(ctx context.Context, m *Message, r *Reply) error
}

func (o *Options) setDefaults() error {
	faults := []error{
		orDefault("Handlers", &o.Handlers, DefaultHandlers),
		orDefault("HandlerTimeout", &o.HandlerTimeout, DefaultHandlerTimeout),
		orDefault("ReplyWait", &o.ReplyWait, DefaultReplyWait),
		orDefault("MaxSessions", &o.MaxSessions, DefaultMaxSessions),
		orDefault("MaxSessionsPerProfile", &o.MaxSessionsPerProfile, 0),
		orDefault("MaxBytes", &o.MaxBytes, DefaultMaxBytes),
		orDefault("MaxReplies", &o.MaxReplies, DefaultMaxReplies),
		orDefault("MaxReplyBytes", &o.MaxReplyBytes, DefaultMaxReplyBytes),
		orDefault("MaxKeysPerSession", &o.MaxKeysPerSession, DefaultMaxKeysPerSession),
	}
	if o.MaxSessionAge == 0 {
		o.MaxSessionAge = DefaultMaxSessionAge
	}
	if o.Tenants == nil {
		o.Tenants = Fixed(profile.Default())
	}
	if o.Formats == nil {
		formats, err := wireformat.NewRegistry(wireformat.Builtin()...)
		faults = append(faults, err)
		o.Formats = formats
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return errors.Join(faults...)
}

func orDefault[T int | int64 | time.Duration](name string, value *T, fallback T) error {
	if *value < 0 {
		return fmt.Errorf("options: %s is negative", name)
	}
	if *value == 0 {
		*value = fallback
	}
	return nil
}

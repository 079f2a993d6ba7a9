package httpout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/httprules"
	"github.com/outrider-go/outrider/transport/outbound"
)

// Defaults of [Options] that the configuration of an agent has too.
const (
	DefaultMaxConnsPerHost = 50
	DefaultMaxIdleConns    = 200
	DefaultUserAgent       = "outrider"
	DefaultMessageIDHeader = "Message-Id"
)

// Options of a [Transport]. The zero value is ready to use.
type Options struct {
	// MaxConnsPerHost bounds the connections of one profile to one host, and is
	// how many of them are kept when idle. Default: 50.
	MaxConnsPerHost int
	// MaxIdleConns bounds the idle connections of one profile. Default: 200.
	MaxIdleConns int
	// IdleConnTimeout is when an idle connection is closed. Default: 90 s.
	IdleConnTimeout time.Duration
	// ResponseHeaderTimeout bounds the wait for an answer once the request is
	// written. Default: the attempt's own time.
	ResponseHeaderTimeout time.Duration
	// MaxResponseBytes bounds what is read of an answer's body, and of its header.
	// Default: 64 KiB.
	MaxResponseBytes int
	// KeepResponse is how much of an answer's body is kept with the attempt, in
	// bytes. Negative: none. Default: 1 KiB.
	KeepResponse int
	// UserAgent is sent where the metadata has none. Default: "outrider".
	UserAgent string
	// MessageIDHeader is the header with the message's id. Default: "Message-Id".
	MessageIDHeader string
	// DisableHTTP2 keeps to HTTP/1.1. Default: HTTP/2 where the receiver offers it.
	DisableHTTP2 bool
	// WireFormat is the name of the transport's wire format. Default: none, so
	// that the profile's is used.
	WireFormat string
	// OnReply is called with each 2xx answer that has a body no longer than
	// MaxResponseBytes, during the attempt and with its context. m is only to be
	// read. An error says that the answer may be taken another time: the attempt is
	// unknown, keeps its evidence, and is made again. What can never be taken is no
	// error. Default: such bodies are dropped.
	OnReply func(ctx context.Context, m *outbound.Message, r Reply) error
	// Egress are the options of the dialers. Phases are observed by the
	// transport's collector as well.
	Egress egress.Options
	// Logger is told of profiles that do not verify certificates, and of an OnReply
	// that panics. Default: none.
	Logger *zap.Logger
}

// Reply is an answer with a body.
type Reply struct {
	Status      int    // 200 to 299
	ContentType string // as the receiver gave it, may be empty
	Body        []byte // the callee's to keep
}

func (o Options) validate() error {
	var faults []error
	negative := func(name string, is bool) {
		if is {
			faults = append(faults, fmt.Errorf("%s is negative", name))
		}
	}
	negative("max conns per host", o.MaxConnsPerHost < 0)
	negative("max idle conns", o.MaxIdleConns < 0)
	negative("idle conn timeout", o.IdleConnTimeout < 0)
	negative("response header timeout", o.ResponseHeaderTimeout < 0)
	negative("max response bytes", o.MaxResponseBytes < 0)
	if !httprules.IsValue(o.UserAgent) {
		faults = append(faults, errors.New("user agent has a control character"))
	}
	switch name, key := o.MessageIDHeader, http.CanonicalHeaderKey(o.MessageIDHeader); {
	case name == "":
	case !httprules.IsToken(name):
		faults = append(faults, fmt.Errorf("message id header %q is not a header name", name))
	case httprules.IsReserved(key), key == "Content-Type":
		faults = append(faults, fmt.Errorf("message id header %q belongs to HTTP: choose another name", name))
	}
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	o.MaxConnsPerHost = cmp.Or(o.MaxConnsPerHost, DefaultMaxConnsPerHost)
	o.MaxIdleConns = cmp.Or(o.MaxIdleConns, DefaultMaxIdleConns)
	o.IdleConnTimeout = cmp.Or(o.IdleConnTimeout, 90*time.Second)
	o.MaxResponseBytes = cmp.Or(o.MaxResponseBytes, 64<<10)
	o.KeepResponse = min(max(cmp.Or(o.KeepResponse, 1<<10), 0), o.MaxResponseBytes)
	o.UserAgent = cmp.Or(o.UserAgent, DefaultUserAgent)
	o.MessageIDHeader = http.CanonicalHeaderKey(cmp.Or(o.MessageIDHeader, DefaultMessageIDHeader))
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

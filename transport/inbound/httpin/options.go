package httpin

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/ingress"
)

// Options of a [Transport]. The zero value works.
type Options struct {
	// Server are the limits of the server, its TLS, and a listener where it is not to
	// make one. HTTP/2 is offered where there is TLS.
	Server ingress.Options
	// MaxMessageBytes bounds a payload. Default: 2 MiB.
	MaxMessageBytes int
	// HandlerWait is how long a message waits for a handler to be free before it is
	// answered with 503. Default: 5 s.
	HandlerWait time.Duration
	// WriteTimeout bounds the writing of an answer. Default: 30 s.
	WriteTimeout time.Duration
	// RetryAfter is what 503 asks for. Default: 5 s.
	RetryAfter time.Duration
	// AllowedOrigins are pages that browsers may post from, such as
	// https://app.example.com. Default: those of the same origin.
	AllowedOrigins []string
	// WebSocket takes the WebSocket handshakes. Default: they are no messages.
	WebSocket http.Handler
	// WireFormat is the name of the transport's wire format. Default: each message
	// says its own.
	WireFormat string
}

func (o Options) validate(address string) error {
	faults := []error{o.Server.Validate(), ingress.CheckOrigins(o.AllowedOrigins)}
	for _, field := range []struct {
		name     string
		negative bool
	}{
		{"MaxMessageBytes", o.MaxMessageBytes < 0},
		{"HandlerWait", o.HandlerWait < 0},
		{"WriteTimeout", o.WriteTimeout < 0},
		{"RetryAfter", o.RetryAfter < 0},
	} {
		if field.negative {
			faults = append(faults, fmt.Errorf("%s is negative", field.name))
		}
	}
	if o.Server.Listener == nil {
		if _, _, err := net.SplitHostPort(address); err != nil {
			faults = append(faults, errors.New("the address is not host:port"))
		}
	}
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	o.Server.HTTP2 = true
	o.MaxMessageBytes = cmp.Or(o.MaxMessageBytes, inbound.DefaultMaxMessageBytes)
	o.HandlerWait = cmp.Or(o.HandlerWait, 5*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 30*time.Second)
	o.RetryAfter = cmp.Or(o.RetryAfter, 5*time.Second)
	return o
}

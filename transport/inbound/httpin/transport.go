package httpin

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/ingress"
)

// Transport is an [inbound.Transport] for http and https. Make one with [New].
type Transport struct {
	inbound.Base

	address    string
	options    Options
	scheme     string
	browsers   *http.CrossOriginProtection
	retryAfter string

	lifecycle transport.Lifecycle
	running   atomic.Pointer[running]
	release   func() // detaches from Start's context; guarded by lifecycle
}

// running is what there is between Start and Stop.
type running struct {
	host   inbound.Host
	server *ingress.Server
}

// New returns a transport that listens at host:port once it is started. Port 0 is
// any that is free. The error joins all that is wrong with the options.
func New(address string, options Options) (*Transport, error) {
	if err := options.validate(address); err != nil {
		return nil, fmt.Errorf("httpin options: %w", err)
	}
	t := &Transport{address: address, options: options.withDefaults(), scheme: "http", browsers: http.NewCrossOriginProtection()}
	if options.Server.TLS != nil {
		t.scheme = "https"
	}
	for _, origin := range options.AllowedOrigins {
		_ = t.browsers.AddTrustedOrigin(origin) // which asks for less than validate has
	}
	t.Format = options.WireFormat
	t.retryAfter = seconds(t.options.RetryAfter)
	return t, nil
}

// Scheme implements [inbound.Transport].
func (t *Transport) Scheme() string { return t.scheme }

// Address implements [inbound.Transport].
func (t *Transport) Address() string {
	if now := t.running.Load(); now != nil {
		return t.scheme + "://" + now.server.Addr().String()
	}
	return ""
}

// Start implements [inbound.Transport].
func (t *Transport) Start(ctx context.Context, host inbound.Host) error {
	return t.lifecycle.StartWith(func() error {
		now := &running{host: host}
		ready := make(chan struct{})
		server, err := ingress.Listen(ctx, t.address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-ready
			t.serve(now, w, r)
		}), t.options.Server)
		if err != nil {
			return err
		}
		now.server = server
		t.running.Store(now)
		close(ready)
		t.release = transport.AfterCancel(ctx, server.Abort)
		return nil
	})
}

// Stop implements [inbound.Transport].
func (t *Transport) Stop(ctx context.Context) error {
	return t.lifecycle.StopWith(func() error {
		if err := t.running.Load().server.Shutdown(ctx); err != nil {
			return fmt.Errorf("requests are under way: %w", err)
		}
		t.release()
		t.running.Store(nil)
		return nil
	})
}

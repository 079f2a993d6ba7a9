package ingress

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options of a [Server]. The zero value works.
type Options struct {
	// Listener to serve on, which the server closes. Default: one at the address.
	Listener net.Listener
	// TLS secures the connections. Its minimum version is at least 1.2. Default:
	// they are not secured.
	TLS *tls.Config
	// AllowedHosts are names by which peers may call a server that listens on a
	// loopback address and is not secured, beside the name it listens at, localhost
	// and IP addresses. Others are answered with 403. Default: none.
	AllowedHosts Hosts
	// HTTP2 offers it on secured connections. Default: HTTP/1.1 alone.
	HTTP2 bool
	// MaxConns bounds the connections. Default: 4096.
	MaxConns int
	// MaxHeaderBytes bounds the header of a request. Default: 32 KiB.
	MaxHeaderBytes int
	// HeaderTimeout, ReadTimeout and IdleTimeout bound the header of a request, the
	// whole of it, and the time between two. Default: 10 s, 1 min, 2 min.
	HeaderTimeout, ReadTimeout, IdleTimeout time.Duration
}

// Validate names each option that is wrong.
func (o Options) Validate() error {
	var faults []error
	for _, field := range []struct {
		name     string
		negative bool
	}{
		{"MaxConns", o.MaxConns < 0},
		{"MaxHeaderBytes", o.MaxHeaderBytes < 0},
		{"HeaderTimeout", o.HeaderTimeout < 0},
		{"ReadTimeout", o.ReadTimeout < 0},
		{"IdleTimeout", o.IdleTimeout < 0},
	} {
		if field.negative {
			faults = append(faults, fmt.Errorf("%s is negative", field.name))
		}
	}
	return errors.Join(append(faults, o.AllowedHosts.Validate())...)
}

// Server is an HTTP server that listens.
type Server struct {
	listener net.Listener
	server   *http.Server
	base     context.Context //nolint:containedctx // that of every request
	cancel   context.CancelFunc
	conns    sync.WaitGroup
	done     chan struct{} // closed when it accepts nothing more
}

// Listen listens at host:port, or on the listener of the options, and has requests
// handled until Shutdown or Close is called.
func Listen(ctx context.Context, address string, handler http.Handler, options Options) (*Server, error) {
	if err := options.Validate(); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	listener := options.Listener
	if listener == nil {
		var config net.ListenConfig
		var err error
		if listener, err = config.Listen(ctx, "tcp", address); err != nil {
			return nil, err // net says "listen tcp host:port" itself
		}
	}
	if options.TLS == nil && isLocal(listener.Addr()) {
		handler = append(Hosts{hostOf(address)}, options.AllowedHosts...).guard(handler)
	}
	s := &Server{listener: listener, done: make(chan struct{})}
	s.base, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: cmp.Or(options.HeaderTimeout, 10*time.Second),
		ReadTimeout:       cmp.Or(options.ReadTimeout, time.Minute),
		IdleTimeout:       cmp.Or(options.IdleTimeout, 2*time.Minute),
		MaxHeaderBytes:    cmp.Or(options.MaxHeaderBytes, 32<<10),
		ErrorLog:          log.New(io.Discard, "", 0), // what peers do wrong is no news
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ConnState:         s.count,
		Protocols:         new(http.Protocols),
	}
	s.server.Protocols.SetHTTP1(true)
	s.server.Protocols.SetHTTP2(options.HTTP2)
	bounded := limit(listener, cmp.Or(options.MaxConns, 4096))
	go s.serve(bounded, options.TLS)
	return s, nil
}

func (s *Server) serve(l net.Listener, config *tls.Config) {
	defer close(s.done)
	if config == nil {
		_ = s.server.Serve(l) // it ends because it is told to; what it waits for is done
		return
	}
	s.server.TLSConfig = config.Clone()
	s.server.TLSConfig.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	_ = s.server.ServeTLS(l, "", "")
}

// count keeps track of connections. New ones are counted by the goroutine that
// accepts them, so there are none when that has ended.
func (s *Server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateActive, http.StateIdle:
	case http.StateHijacked, http.StateClosed:
		s.conns.Done()
	}
}

// Addr is where it listens, with the port that was taken.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Shutdown takes no more requests and waits for those under way; ctx bounds the
// wait. From then on the contexts of requests are cancelled: a handler that waits
// for something else than its own work ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		return err
	}
	<-s.done
	s.conns.Wait()
	return nil
}

// Stopping reports whether Shutdown or Close was called: the context of a request
// has then not ended because its peer has gone.
func (s *Server) Stopping() bool { return s.base.Err() != nil }

// Close cuts every connection, and returns when their goroutines have ended.
func (s *Server) Close() {
	s.Abort()
	<-s.done
	s.conns.Wait()
}

// Abort cuts every connection, and does not wait.
func (s *Server) Abort() {
	s.cancel()
	_ = s.server.Close() // of connections that may be gone already
}

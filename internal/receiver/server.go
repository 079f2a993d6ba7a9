package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// What a sender may take, so that one that stalls does not hold a connection for
// ever.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// Server is a receiver that listens.
type Server struct {
	listener net.Listener
	server   *http.Server
	conns    sync.WaitGroup     // goroutines of connections
	cut      context.CancelFunc // ends requests that wait
	done     chan struct{}      // closed when the server has ended
	err      error              // why; read after done
}

// Listen listens at an address such as http://127.0.0.1:8080 and serves until
// Close is called. A path in it means nothing. ctx bounds the listening and not
// the serving. The error does not repeat the text: it may hold a password.
func (r *Receiver) Listen(ctx context.Context, at string) (*Server, error) {
	address, err := addressOf(at)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err // net says "listen tcp host:port" itself
	}
	return r.Serve(listener), nil
}

// Serve serves on a listener, which it closes, until Close is called.
func (r *Receiver) Serve(listener net.Listener) *Server {
	base, cut := context.WithCancel(context.Background())
	s := &Server{listener: listener, cut: cut, done: make(chan struct{})}
	s.server = &http.Server{
		Handler:           r,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0), // what senders do wrong is no news
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnState:         s.count,
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.err = err
		}
	}()
	return s
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

// URL returns where it listens, with the port that was taken.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Done is closed when the server serves no more, by Close or by a failure that
// Close returns.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close takes no more requests and waits for those under way until ctx ends;
// then it cuts them. Nothing is recorded after it returned. It may be called
// twice. The error is why the server ended by itself, if it did.
func (s *Server) Close(ctx context.Context) error {
	if err := s.server.Shutdown(ctx); err != nil {
		s.cut()
		_ = s.server.Close() // connections that are gone already
	}
	s.cut()
	<-s.done
	s.conns.Wait()
	return s.err
}

// addressOf returns the host:port of a URL to listen at.
func addressOf(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return "", errors.New("want a URL such as http://127.0.0.1:8080")
	case u.Scheme == "https":
		return "", errors.New("https is not served here: listen at http, behind a proxy that ends TLS")
	case u.Scheme != "http":
		return "", fmt.Errorf("scheme %q is not served here: want http", u.Scheme)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("user information, a query or a fragment means nothing in an address to listen at: leave it out")
	case u.Port() == "":
		return net.JoinHostPort(u.Hostname(), "80"), nil
	}
	return net.JoinHostPort(u.Hostname(), u.Port()), nil
}

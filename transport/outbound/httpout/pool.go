package httpout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
)

// maxPools bounds the profiles that have connections at one time. Beyond it, the
// pool that was used least lately is closed and made again when needed.
const maxPools = 1024

// pools has the pool of each profile, from Start to Stop.
type pools struct {
	options  Options
	observe  func(phase string, took time.Duration)
	attempts *transport.Gate
	lines    *lines

	byProfile sync.Map // *profile.Profile to *pool

	mu  sync.Mutex
	all map[string]*pool // what byProfile has, by the profile's id
}

// pool is the connections of one profile.
type pool struct {
	profile   *profile.Profile
	dialer    *egress.Dialer
	protocols []string // for ALPN
	transport *http.Transport
	lines     *lines
	closeIdle func()       // of all pools
	used      atomic.Int64 // nanoseconds since 1970
}

func newPools(options Options, observe func(string, time.Duration)) *pools {
	return &pools{options: options, observe: observe, attempts: transport.NewGate(), lines: newLines(), all: map[string]*pool{}}
}

// get returns p's pool. The error says what is wrong in p.
func (s *pools) get(p *profile.Profile, now time.Time) (*pool, error) {
	if found := s.known(p); found != nil {
		found.used.Store(now.UnixNano())
		return found, nil
	}
	fresh, err := s.newPool(p)
	if err != nil {
		return nil, err
	}
	fresh.used.Store(now.UnixNano())
	found, retired := s.keep(fresh)
	if retired != nil {
		retired.transport.CloseIdleConnections()
	}
	return found, nil
}

// known returns the pool of a profile, nil when it has none yet.
func (s *pools) known(p *profile.Profile) *pool {
	if known, ok := s.byProfile.Load(p); ok {
		return known.(*pool) //nolint:forcetypeassert // the map holds nothing else
	}
	return nil
}

// keep makes fresh the pool of its profile, unless somebody was faster. It
// returns the pool to use, and one that is no longer kept: that of the profile
// before a change, or the one that was used least lately.
func (s *pools) keep(fresh *pool) (found, retired *pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	retired = s.all[fresh.profile.ID()]
	switch {
	case retired != nil && retired.profile == fresh.profile:
		return retired, nil
	case retired == nil && len(s.all) >= maxPools:
		for _, candidate := range s.all {
			if retired == nil || candidate.used.Load() < retired.used.Load() {
				retired = candidate
			}
		}
	}
	if retired != nil {
		delete(s.all, retired.profile.ID())
		s.byProfile.Delete(retired.profile)
	}
	s.all[fresh.profile.ID()] = fresh
	s.byProfile.Store(fresh.profile, fresh)
	return fresh, retired
}

// closeIdle closes the connections on which no request is under way.
func (s *pools) closeIdle() {
	s.byProfile.Range(func(_, known any) bool {
		known.(*pool).transport.CloseIdleConnections() //nolint:forcetypeassert // the map holds nothing else
		return true
	})
}

// abort ends every connection, and with them the attempts under way. The channel
// is closed when no connection is left.
func (s *pools) abort() <-chan struct{} { return s.lines.close() }

// stop waits until no attempt is under way, and ends every connection. Cut short
// by ctx, it can be called again.
func (s *pools) stop(ctx context.Context) error {
	if err := transport.Wait(ctx, s.attempts.Close()); err != nil {
		return fmt.Errorf("stop http transport: attempts are under way: %w", err)
	}
	if err := transport.Wait(ctx, s.abort()); err != nil {
		return fmt.Errorf("stop http transport: connections are closing: %w", err)
	}
	return nil
}

// newPool makes a pool, which opens nothing.
func (s *pools) newPool(p *profile.Profile) (*pool, error) {
	options := s.options.Egress
	options.Observe = s.observe
	dialer, err := egress.New(p, options)
	if err != nil {
		return nil, err
	}
	if p.TLS().InsecureSkipVerify {
		s.options.Logger.Warn("certificates of https receivers are not verified", zap.String("profile", p.ID()))
	}
	fresh := &pool{profile: p, dialer: dialer, lines: s.lines, closeIdle: s.closeIdle, protocols: []string{"h2", "http/1.1"}}
	if s.options.DisableHTTP2 {
		fresh.protocols = fresh.protocols[1:]
	}
	fresh.transport = newTransport(s.options)
	if proxy := dialer.Proxy(); proxy != nil {
		err = fresh.useProxy(proxy)
	} else {
		fresh.transport.DialContext = fresh.dial
		fresh.transport.DialTLSContext = fresh.dialTLS
	}
	return fresh, err
}

func newTransport(o Options) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(!o.DisableHTTP2)
	return &http.Transport{
		Proxy:                  nil, // never from the environment
		MaxConnsPerHost:        o.MaxConnsPerHost,
		MaxIdleConns:           o.MaxIdleConns,
		MaxIdleConnsPerHost:    o.MaxConnsPerHost,
		IdleConnTimeout:        o.IdleConnTimeout,
		ResponseHeaderTimeout:  o.ResponseHeaderTimeout,
		MaxResponseHeaderBytes: int64(o.MaxResponseBytes),
		DisableCompression:     true, // a small body could unpack to a huge one
		Protocols:              protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
}

func (p *pool) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return p.connect(ctx, addr, func(ctx context.Context) (net.Conn, error) {
		return p.dialer.DialContext(ctx, network, addr)
	})
}

// connect dials. Where this process has no file descriptor left, idle connections give
// theirs: else they would keep out other destinations until they are closed for their age.
func (p *pool) connect(ctx context.Context, addr string, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	conn, err := p.lines.connect(ctx, addr, dial)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		p.closeIdle()
		conn, err = p.lines.connect(ctx, addr, dial)
	}
	return conn, err
}

func (p *pool) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := p.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	secured, err := p.dialer.Handshake(ctx, conn, addr, p.protocols...)
	if err != nil {
		return nil, err
	}
	return secured, nil
}

// useProxy sends everything through a proxy. net/http makes the TLS handshake
// with the receiver then, inside the proxy's tunnel.
func (p *pool) useProxy(proxy *url.URL) error {
	config, err := p.dialer.TLSConfig("")
	if err != nil {
		return err
	}
	p.transport.TLSClientConfig = config
	p.transport.TLSHandshakeTimeout = 10 * time.Second
	p.transport.Proxy = http.ProxyURL(proxy)
	p.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return p.connect(ctx, addr, func(ctx context.Context) (net.Conn, error) {
			return p.dialer.DialProxy(ctx, network, addr)
		})
	}
	p.transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			return &egress.ProxyError{Status: resp.StatusCode}
		}
		return nil
	}
	return nil
}

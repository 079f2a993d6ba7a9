package amqpout

import (
	"sync"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/egress"
)

// mostRoutes bounds the routes, and the profiles, that are kept ready.
const mostRoutes = 4096

// running is what a transport has from Start to Stop.
type running struct {
	container *amqp1.Container
	egress    egress.Options
	release   func() bool // detaches from Start's context

	mu      sync.RWMutex
	routes  map[routeKey]*readyRoute
	dialers map[*profile.Profile]*egress.Dialer
}

// routeKey is equal where an endpoint and its profile say the same.
type routeKey struct {
	profile *profile.Profile
	uri     string
}

// readyRoute is a route with its sender.
type readyRoute struct {
	*route
	sender *amqp1.Sender
}

func newRunningOn(container *amqp1.Container, options egress.Options, observe func(string, time.Duration)) *running {
	inner := options.Observe
	options.Observe = func(phase string, took time.Duration) {
		observe(phase, took)
		if inner != nil {
			inner(phase, took)
		}
	}
	return &running{
		container: container, egress: options,
		routes: map[routeKey]*readyRoute{}, dialers: map[*profile.Profile]*egress.Dialer{},
	}
}

// route returns the route of an endpoint. The error says what is wrong with the
// endpoint or the profile.
func (s *running) route(p *profile.Profile, e transport.Endpoint) (*readyRoute, error) {
	key := routeKey{p, e.Whole().Reveal()}
	s.mu.RLock()
	known := s.routes[key]
	s.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	r, err := newRoute(p, e)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.remote.Dialer, err = s.dialer(p); err != nil {
		return nil, err
	}
	sender, err := s.container.Sender(r.remote, r.target)
	if err != nil {
		return nil, err
	}
	if len(s.routes) >= mostRoutes {
		clear(s.routes) // they are made again when needed; the links stay
	}
	ready := &readyRoute{r, sender}
	s.routes[key] = ready
	return ready, nil
}

func (s *running) dialer(p *profile.Profile) (*egress.Dialer, error) {
	if known := s.dialers[p]; known != nil {
		return known, nil
	}
	fresh, err := egress.New(p, s.egress)
	if err != nil {
		return nil, err
	}
	if len(s.dialers) >= mostRoutes {
		clear(s.dialers)
	}
	s.dialers[p] = fresh
	return fresh, nil
}

package outbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// MetadataEndpoint is the metadata that tells an external queue where a message
// goes in the end: the endpoint, whole.
const MetadataEndpoint = "Outrider-Endpoint"

// maxTargets is how many targets a plan may have: a session before those that the
// caller gave, and a pickup after them.
const maxTargets = 1 + 1 + maxAlternates + 1

// plan is where a message may go, in the order of preference: a session of the
// recipient that is open now; the endpoint and its alternates, or the external
// queue of the profile; and the recipient's next session.
type plan struct {
	targets []transport.Endpoint
	given   int         // index of the message's own endpoint; -1: it is not among them
	route   *registered // of the target whose wire format is used
}

// make decides where a message goes, and sets what follows from that.
func (p *plan) make(m *Manager, message *Message) error {
	if err := m.reroute(message); err != nil {
		return err
	}
	pickup, err := m.pickupOf(message)
	if err != nil {
		return err
	}
	p.targets, p.given = p.targets[:0], -1
	if session, ok := m.sessionOf(message); ok {
		p.targets = append(p.targets, session)
	}
	if message.SessionOnly {
		if len(p.targets) == 0 {
			return &FieldError{"session_only", transport.ErrNoSession}
		}
	} else if err := p.addGiven(m, message, !pickup.IsZero()); err != nil {
		return err
	}
	if !pickup.IsZero() && (p.given < 0 || message.Profile.Pickup().Exhausted) {
		p.targets = append(p.targets, pickup)
	}
	if p.given < 0 {
		message.Target.Routing = nil // those are on the way to an endpoint
	}
	message.Endpoint = p.targets[0]
	m.setPickupDefaults(message, p)
	if p.given < 0 {
		p.route, err = m.route(p.targets[0])
	}
	return err
}

// reroute sends a message to the external queue of its profile.
func (m *Manager) reroute(message *Message) error {
	queue := message.Profile.Route()
	if queue.IsZero() || message.Direct || message.Endpoint.IsZero() || isPeerScheme(message.Endpoint.Scheme()) {
		return nil
	}
	r, err := m.route(queue)
	if err == nil && r.done != StatusSentToExternalQueue {
		err = fmt.Errorf("transport %s is not one for external queues", r.name)
	}
	if err != nil {
		return &FieldError{"profile", fmt.Errorf("route %v: %w", queue, err)}
	}
	if len(message.Alternates) > 0 {
		return &FieldError{"alternates", errors.New("go to the profile's external queue, too: leave them out, or send directly")}
	}
	message.Metadata = merged(message.Metadata, map[string]string{MetadataEndpoint: message.Endpoint.Whole().Reveal()})
	message.Endpoint = queue
	return nil
}

// sessionOf returns the endpoint of the sessions that take a message now. One with
// routing keys is encoded for those on the way to its endpoint, once: a session
// could not read it.
func (m *Manager) sessionOf(message *Message) (transport.Endpoint, bool) {
	if message.Session == "" && len(message.Target.Recipients) == 0 {
		return transport.Endpoint{}, false
	}
	encodedForOthers := len(message.Target.Routing) > 0 && !message.Endpoint.IsZero() && !message.SessionOnly
	if encodedForOthers || isPeerScheme(message.Endpoint.Scheme()) || message.MinEvidence > transport.Acknowledged {
		return transport.Endpoint{}, false
	}
	peer := transport.Peer{Keys: transport.PeerKeys(message.Target.Recipients), Session: message.Session, Thread: message.ThreadID}
	if !m.options.Sessions.Reaches(message.Profile.ID(), peer) {
		return transport.Endpoint{}, false
	}
	endpoint, err := peer.SessionEndpoint()
	return endpoint, err == nil
}

// addGiven adds the endpoint that the caller gave, and its alternates. Where the
// message can wait to be picked up, it may be missing, or have a scheme that
// nobody serves.
func (p *plan) addGiven(m *Manager, message *Message, waits bool) error {
	if len(message.Alternates) > maxAlternates {
		return &FieldError{"alternates", fmt.Errorf("has %d entries: at most %d are allowed", len(message.Alternates), maxAlternates)}
	}
	scheme, alternates := message.Endpoint.Scheme(), len(message.Alternates) > 0
	switch {
	case alternates && (scheme == "" || scheme == transport.SchemePickup):
		return &FieldError{"alternates", errors.New("need an endpoint before them: make the first of them the endpoint")}
	case scheme == "" && len(p.targets) == 0 && !waits:
		return noEndpoint(message)
	case scheme == "", scheme == transport.SchemePickup: // which is the plan's last target
		return nil
	}
	var err error
	if p.route, err = m.route(message.Endpoint); err != nil {
		if waits && !alternates && errors.Is(err, ErrUnknownScheme) {
			return nil
		}
		return &FieldError{"endpoint", err}
	}
	p.given = len(p.targets)
	p.targets = append(append(p.targets, message.Endpoint), message.Alternates...)
	return nil
}

// noEndpoint says why a message without an endpoint goes nowhere.
func noEndpoint(message *Message) error {
	switch {
	case message.Session == "" && len(message.Target.Recipients) == 0:
		return &FieldError{"endpoint", errors.New("is missing: give a URI such as https://example.com/inbox")}
	case message.Session != "" && len(message.Target.Recipients) == 0:
		return &FieldError{"session", transport.ErrNoSession}
	default:
		return &FieldError{"endpoint", fmt.Errorf(
			"is missing, and the recipient has no session: give one, or set pickup.enabled in profile %s", message.Profile.ID())}
	}
}

// checkTargets asks the transport of each target whether it could ever deliver an
// encoded message.
func (m *Manager) checkTargets(ctx context.Context, message *Message, p *plan) error {
	for i, endpoint := range p.targets {
		var err error
		switch alternate := i - p.given - 1; {
		case i == max(p.given, 0):
			err = p.route.checkAt(ctx, message, endpoint)
		case p.given >= 0 && alternate >= 0 && alternate < len(message.Alternates):
			err = m.checkAlternate(ctx, message, p.targets[p.given:], alternate)
		default:
			err = m.checkTarget(ctx, message, endpoint)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) checkTarget(ctx context.Context, message *Message, endpoint transport.Endpoint) error {
	route, err := m.route(endpoint)
	if err != nil {
		return &FieldError{"endpoint", err}
	}
	return route.checkAt(ctx, message, endpoint)
}

// checkAlternate checks one of the alternates; given are the endpoint and all of
// them.
func (m *Manager) checkAlternate(ctx context.Context, message *Message, given []transport.Endpoint, index int) error {
	endpoint := given[1+index]
	wrong := func(err error) error { return &FieldError{"alternates", fmt.Errorf("entry %d: %w", index+1, err)} }
	if endpoint.IsZero() {
		return wrong(errors.New("is missing: give a URI such as https://example.com/inbox"))
	}
	if endpoint.Scheme() == transport.SchemePickup {
		return wrong(errors.New("is a pickup: set pickup.exhausted in the profile, so that what cannot be delivered waits there"))
	}
	for i, earlier := range given[:1+index] {
		if !sameEndpoint(endpoint, earlier) {
			continue
		}
		if i == 0 {
			return wrong(errors.New("is the endpoint itself: leave it out"))
		}
		return wrong(fmt.Errorf("is entry %d again: leave it out", i))
	}
	route, err := m.route(endpoint)
	if err == nil {
		err = route.checkAt(ctx, message, endpoint)
	}
	if err != nil {
		return wrong(err)
	}
	return nil
}

// asKept returns the targets as they are kept: none where there is only one, which is
// the message's own place.
func (p *plan) asKept(message *Message) []queue.Target {
	if len(p.targets) == 1 {
		return nil
	}
	all := make([]queue.Target, len(p.targets))
	for i, endpoint := range p.targets {
		all[i] = targetOf(message, endpoint)
	}
	return all
}

func targetOf(message *Message, endpoint transport.Endpoint) queue.Target {
	return queue.Target{
		Lane:     queue.Lane{Profile: message.Profile.ID(), Destination: endpoint.Destination()},
		Endpoint: endpoint.String(), URI: endpoint.Whole(),
	}
}

// sameEndpoint reports whether two endpoints are one, however they are written.
func sameEndpoint(a, b transport.Endpoint) bool {
	first, second := a.URL(), b.URL()
	return first.String() == second.String() && a.APIKey().Equal(b.APIKey())
}

func isPeerScheme(scheme string) bool {
	return scheme == transport.SchemeSession || scheme == transport.SchemePickup
}

// unlimitedAge stands for the age that a retry policy does not limit.
const unlimitedAge = 30 * day

// setPickupDefaults gives a message that may wait to be picked up an order and an
// end, where it has none.
func (m *Manager) setPickupDefaults(message *Message, p *plan) {
	if p.targets[len(p.targets)-1].Scheme() != transport.SchemePickup {
		return
	}
	wait := message.Profile.Pickup().TTL
	if p.given >= 0 { // first it is attempted
		policy := m.policyOf(retryText(message), message.Profile.ID())
		wait = saturate(float64(wait) + float64(cmp.Or(policy.MaxAge, unlimitedAge)))
	}
	if message.ExpiresAt.IsZero() {
		message.ExpiresAt = laterOf(time.Now(), message.NotBefore).Add(wait)
	}
	if p.given < 0 && message.OrderingKey == "" {
		message.OrderingKey = transport.SchemePickup
	}
}

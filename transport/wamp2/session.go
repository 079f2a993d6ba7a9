package wamp2

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/wireformat/wamp"
)

// Session is a client that has joined a realm. Make one with [Join].
type Session struct {
	link    *link
	options Options
	id      wamp.ID
	details wamp.Dict

	writing chan struct{} // holds one token: who has it may write
	events  chan *wamp.Event
	running sync.WaitGroup
	done    chan struct{} // closed when the session has ended
	cancel  context.CancelCauseFunc

	mu            sync.Mutex
	err           error // why it ended; nil while it has not
	leaving       bool
	lastRequest   wamp.ID
	pending       map[wamp.ID]*request
	subscriptions map[wamp.ID][]*Subscription
	procedures    map[wamp.ID]*Registration
	invocations   map[wamp.ID]context.CancelFunc
}

// Join connects to a router and joins a realm. The scheme of u is ws or wss. ctx
// bounds joining and does not end the session afterwards. Errors of dial come as
// they are.
func Join(ctx context.Context, dial Dial, u url.URL, realm string, options Options) (*Session, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	if !wamp.IsURI(realm) {
		return nil, fmt.Errorf("%w: the realm is not a URI", ErrMessage)
	}
	l, err := connect(ctx, dial, u, options)
	if err != nil {
		return nil, err
	}
	s := &Session{
		link: l, options: options, writing: make(chan struct{}, 1), done: make(chan struct{}),
		events:  make(chan *wamp.Event, options.EventBuffer),
		pending: map[wamp.ID]*request{}, subscriptions: map[wamp.ID][]*Subscription{},
		procedures: map[wamp.ID]*Registration{}, invocations: map[wamp.ID]context.CancelFunc{},
	}
	s.writing <- struct{}{}
	if err := s.join(ctx, realm); err != nil {
		_ = l.Close() // joining has failed; that says more
		return nil, err
	}
	s.start()
	return s, nil
}

// start runs the session's goroutines.
func (s *Session) start() {
	ctx, cancel := context.WithCancelCause(context.Background())
	s.cancel = cancel
	if s.options.PingInterval > 0 {
		s.keepAlive()
		s.running.Go(s.ping)
	}
	s.running.Go(func() { s.read(ctx) })
	s.running.Go(s.deliver)
}

// join says HELLO, answers a challenge, and waits for WELCOME.
func (s *Session) join(ctx context.Context, realm string) error {
	detach := context.AfterFunc(ctx, func() { _ = s.link.SetReadDeadline(time.Unix(1, 0)) })
	defer detach()
	if _, err := s.write(ctx, s.hello(realm)); err != nil {
		return err
	}
	for answered := ""; ; { // the method of the challenge
		m, err := s.readOne()
		if err != nil {
			return joinFault(ctx, err)
		}
		switch m := m.(type) {
		case *wamp.Welcome:
			if err := s.welcomed(ctx, m, answered); err != nil {
				return s.refuse(ctx, err)
			}
			s.id, s.details = m.Session, m.Details
			if !detach() {
				return joinFault(ctx, context.Cause(ctx))
			}
			return s.link.SetReadDeadline(time.Time{})
		case *wamp.Abort:
			return &JoinError{shown(m.Reason)}
		case *wamp.Challenge:
			if answered != "" {
				return s.refuse(ctx, fmt.Errorf("%w: a second challenge", ErrAuth))
			}
			if err := s.authenticate(ctx, m); err != nil {
				return s.refuse(ctx, err)
			}
			answered = m.Method
		default:
			return s.refuse(ctx, &wamp.ProtocolError{Message: m.Type().String(), Reason: "it comes before WELCOME"})
		}
	}
}

func joinFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("while joining: %w", context.Cause(ctx))
	}
	return err
}

// refuse tells the router why the session is not joined.
func (s *Session) refuse(ctx context.Context, err error) error {
	_, _ = s.write(ctx, &wamp.Abort{Reason: reasonProtocol}) // err says more
	return err
}

func (s *Session) hello(realm string) *wamp.Hello {
	details := wamp.Dict{
		"agent": s.options.Agent,
		"roles": map[string]any{
			"publisher": features(), "subscriber": features(),
			"caller": features("call_canceling"), "callee": features("call_canceling"),
		},
	}
	if s.options.AuthID != "" {
		details["authid"] = s.options.AuthID
	}
	var methods []any
	extra := wamp.Dict{}
	for _, auth := range s.options.Auth {
		methods = append(methods, auth.Method())
		maps.Copy(extra, auth.Extra())
	}
	details["authmethods"] = methods
	if len(extra) > 0 {
		details["authextra"] = extra
	}
	return &wamp.Hello{Realm: realm, Details: details}
}

// features announces what a role of ours can do, beside encoded payloads.
func features(names ...string) map[string]any {
	all := map[string]any{"payload_passthru_mode": true}
	for _, name := range names {
		all[name] = true
	}
	return map[string]any{"features": all}
}

func (s *Session) authenticate(ctx context.Context, c *wamp.Challenge) error {
	for _, auth := range s.options.Auth {
		if auth.Method() != c.Method {
			continue
		}
		signature, err := auth.Answer(ctx, c, s.link.channel)
		if err != nil {
			return err
		}
		_, err = s.write(ctx, &wamp.Authenticate{Signature: signature})
		return err
	}
	return fmt.Errorf("%w: the router asks for a method that was not offered", ErrAuth)
}

// welcomed has the method that the session was joined by check the router's last
// word. Where the router names none that was offered, all of them do: none can be
// got round.
func (s *Session) welcomed(ctx context.Context, m *wamp.Welcome, answered string) error {
	method, _ := m.Details["authmethod"].(string)
	method = cmp.Or(answered, method)
	offered := slices.ContainsFunc(s.options.Auth, func(a Authenticator) bool { return a.Method() == method })
	extra, _ := m.Details["authextra"].(map[string]any)
	for _, auth := range s.options.Auth {
		welcomer, ok := auth.(Welcomer)
		if !ok || offered && auth.Method() != method {
			continue
		}
		if err := welcomer.Welcomed(ctx, extra); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrAuth, auth.Method(), err)
		}
	}
	return nil
}

// ID is the session's id on the router.
func (s *Session) ID() wamp.ID { return s.id }

// Details is what the router says of the session: authid, authrole, roles. It is
// not to be changed.
func (s *Session) Details() wamp.Dict { return s.details }

// SerializerID names the serializer that the router has chosen.
func (s *Session) SerializerID() string { return s.link.serializer.ID() }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns why the session ended, nil while it has not.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Leave says goodbye, waits for the router to do so too, and closes the connection.
// When ctx ends before, it closes the connection at once, and returns the
// context's error.
func (s *Session) Leave(ctx context.Context) error {
	s.mu.Lock()
	s.leaving = true
	ended := s.err != nil
	s.mu.Unlock()
	var err error
	if !ended {
		if _, err = s.write(ctx, &wamp.Goodbye{Reason: reasonCloseRealm}); err == nil {
			select {
			case <-s.done:
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
	}
	s.Close()
	return err
}

// Close drops the connection, and waits until nothing of the session runs.
func (s *Session) Close() {
	s.end(ErrClosed)
	s.running.Wait()
}

// end ends the session once, for a reason.
func (s *Session) end(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = err
	s.mu.Unlock()
	s.cancel(err)
	_ = s.link.Close() // nothing is left to be written
	close(s.done)
}

// read takes what the router sends, until the session ends.
func (s *Session) read(ctx context.Context) {
	defer close(s.events)
	for {
		messages, err := s.readFrame()
		for _, m := range messages {
			if err == nil {
				err = s.take(ctx, m)
			}
		}
		if err != nil {
			if errors.Is(err, wamp.ErrProtocol) {
				_, _ = s.write(ctx, &wamp.Abort{Reason: reasonProtocol}) // the session ends in any case
			}
			s.end(err)
			return
		}
	}
}

// readOne reads the only message that the router may send while joining.
func (s *Session) readOne() (wamp.Message, error) {
	messages, err := s.readFrame()
	if err != nil {
		return nil, err
	}
	if len(messages) != 1 {
		return nil, &wamp.ProtocolError{Message: "message", Reason: "several come before WELCOME"}
	}
	return messages[0], nil
}

func (s *Session) readFrame() ([]wamp.Message, error) {
	kind, b, err := s.link.ReadMessage()
	if err != nil {
		return nil, readFault(err)
	}
	if s.options.PingInterval > 0 && s.cancel != nil {
		s.extend()
	}
	return s.link.serializer.Unserialize(b, kind == websocket.BinaryMessage)
}

// readFault is an error of the connection without the peer's words.
func readFault(err error) error {
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
		return fmt.Errorf("%w: the router closed the connection (%d)", ErrClosed, closed.Code)
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return fmt.Errorf("%w: the router sent a message that is too long", ErrClosed)
	}
	return fmt.Errorf("%w: the connection broke", ErrClosed)
}

// keepAlive has the session end when the router is silent for too long.
func (s *Session) keepAlive() {
	s.extend()
	s.link.SetPongHandler(func(string) error {
		s.extend()
		return nil
	})
}

func (s *Session) extend() { _ = s.link.SetReadDeadline(time.Now().Add(3 * s.options.PingInterval)) }

func (s *Session) ping() {
	ticker := time.NewTicker(s.options.PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			// A failure shows when reading.
			_ = s.link.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.options.WriteTimeout))
		case <-s.done:
			return
		}
	}
}

// Abort drops the connection and does not wait.
func (s *Session) Abort() { s.end(ErrClosed) }

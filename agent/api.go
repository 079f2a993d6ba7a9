package agent

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/ingress"
	"github.com/outrider-go/outrider/transport/outbound"
)

// Times of the API server.
const (
	headerTimeout  = 5 * time.Second  // to send a request's header
	bodyTimeout    = time.Minute      // to send its body
	answerTimeout  = time.Minute      // to work, and to take the answer
	idleTimeout    = 2 * time.Minute  // between requests of a connection
	apiStopWait    = 3 * time.Second  // for requests under way at the end
	heartbeat      = 15 * time.Second // between comments on a quiet event stream
	eventTimeout   = 30 * time.Second // to take one event
	maxHeaderBytes = 64 << 10
	// maxEscaping is how much longer text may be as JSON than it is: quotes and line
	// ends take twice their room, and letters beyond ASCII, where a library escapes
	// them, up to three times. Base64 takes less. Only control characters take more.
	maxEscaping = 3
)

// api serves the HTTP API. It runs the goroutine that accepts connections, and
// those of net/http.
type api struct {
	manager  *outbound.Manager
	inbound  *inbound.Manager
	profiles *profile.Static
	eventLog *eventLog
	log      *zap.Logger
	ready    func() error
	stopping *atomic.Bool // nothing new is taken

	listenOn  string
	maxBody   int64
	testTime  time.Duration // that a test of a destination may take
	hosts     ingress.Hosts // by which it may be called without a token
	secured   bool          // requests must carry the token
	tokenHash [sha256.Size]byte

	server   *http.Server
	serving  sync.WaitGroup
	stopOnce sync.Once
	closing  chan struct{} // closed when event streams are to end

	mu       sync.Mutex
	listener net.Listener
}

func newAPI(a *Agent) (*api, error) {
	errorLog, err := zap.NewStdLogAt(a.log, zap.WarnLevel)
	if err != nil {
		return nil, fmt.Errorf("log of the api: %w", err)
	}
	s := &api{
		manager: a.manager, inbound: a.inbound, profiles: a.profiles, eventLog: newEventLog(a.events, a.log), log: a.log, ready: a.Ready, stopping: &a.stopping,
		listenOn:  a.config.API.Listen,
		maxBody:   min(a.config.MaxMessageBytes, 1<<40)*maxEscaping + 64<<10, // and what stands around the payload
		testTime:  cmp.Or(a.config.AttemptTimeout, outbound.DefaultAttemptTimeout) + answerTimeout,
		hosts:     a.config.API.AllowedHosts,
		secured:   !a.config.API.Token.IsZero(),
		tokenHash: sha256.Sum256([]byte(a.config.API.Token.Reveal())),
		closing:   make(chan struct{}),
	}
	s.server = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          errorLog,
	}
	return s, nil
}

// listen takes the address. Connections wait until serve.
func (s *api) listen(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.listenOn)
	if err != nil {
		return &KeyError{"api.listen", err}
	}
	if addr, ok := listener.Addr().(*net.TCPAddr); !s.secured && (!ok || !addr.IP.IsLoopback()) {
		return errors.Join(&KeyError{"api.listen", fmt.Errorf("%s is not a loopback address: set api.token", s.listenOn)}, listener.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = listener
	return nil
}

// serve answers requests until stop.
func (s *api) serve() {
	s.serving.Go(func() {
		if err := s.server.Serve(s.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("api has stopped", zap.Error(err))
		}
	})
}

// stop ends the event streams, waits a little for the other requests, and closes
// every connection. It may be called again, and before listen.
func (s *api) stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		s.eventLog.close()
		close(s.closing)
	})
	ctx, cancel := context.WithTimeout(ctx, apiStopWait)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	s.mu.Lock()
	if s.listener != nil {
		_ = s.listener.Close() // the server has closed it, if it ever served
	}
	s.mu.Unlock()
	s.serving.Wait()
	return err
}

func (s *api) addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// handler answers a request, or returns why not.
type handler func(http.ResponseWriter, *http.Request) error

// routes maps every path, so that whatever is not served is answered with a
// problem too.
func (s *api) routes() http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, route := range []struct {
		method, path string
		handler      handler
	}{
		{http.MethodGet, "/{$}", s.hello},
		{http.MethodPost, "/v1/messages", s.unlessStopping(s.send)},
		{http.MethodGet, "/v1/messages", s.list},
		{http.MethodGet, "/v1/messages/{id}", s.get},
		{http.MethodPost, "/v1/messages/{id}/cancel", s.cancel},
		{http.MethodPost, "/v1/messages/{id}/replay", s.unlessStopping(s.replay)},
		{http.MethodPost, "/v1/replay", s.unlessStopping(s.replayPage)},
		{http.MethodGet, "/v1/events", s.streamEvents},
		{http.MethodGet, "/v1/stats", s.stats},
		{http.MethodGet, "/metrics", s.metrics},
		{http.MethodGet, "/v1/destinations", s.destinations},
		{http.MethodPost, "/v1/destinations/pause", s.pause},
		{http.MethodPost, "/v1/destinations/resume", s.resume},
		{http.MethodPost, "/v1/destinations/test", s.test},
		{http.MethodGet, "/v1/sessions", s.sessions},
		{http.MethodPost, "/v1/sessions/{id}/close", s.closeSession},
		{http.MethodGet, "/v1/pickups", s.pickups},
	} {
		mux.Handle(route.method+" "+route.path, s.guarded(route.handler))
		methods[route.path] = append(methods[route.path], route.method)
	}
	mux.Handle("GET /livez", s.open(s.live))
	mux.Handle("GET /readyz", s.open(s.isReady))
	methods["/livez"], methods["/readyz"] = []string{http.MethodGet}, []string{http.MethodGet}
	for path, allowed := range methods {
		mux.Handle(path, s.guarded(notAllowed(allowed)))
	}
	mux.Handle("/", s.guarded(func(http.ResponseWriter, *http.Request) error {
		return problem(kindNotFound, "there is nothing at this path")
	}))
	return mux
}

// unlessStopping serves what has messages delivered. The manager takes them longer
// than the API, from what is being received.
func (s *api) unlessStopping(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.stopping.Load() {
			return outbound.ErrStopped
		}
		return h(w, r)
	}
}

// notAllowed answers the methods that a path does not have.
func notAllowed(allowed []string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		list := strings.Join(allowed, ", ")
		w.Header().Set("Allow", list)
		return problem(kindMethod, "%s is not possible here: want %s", r.Method, list)
	}
}

// guarded is open, for those whom admit lets in.
func (s *api) guarded(h handler) http.Handler {
	return s.open(func(w http.ResponseWriter, r *http.Request) error {
		if err := s.admit(w, r); err != nil {
			return err
		}
		return h(w, r)
	})
}

// open serves a handler to everybody, and turns its error into a problem.
func (s *api) open(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		control, now := http.NewResponseController(w), time.Now()
		if err := errors.Join(control.SetReadDeadline(now.Add(bodyTimeout)), control.SetWriteDeadline(now.Add(answerTimeout))); err != nil {
			s.log.Error("api cannot set a deadline", zap.Error(err))
		}
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// hello answers whoever opens the address in a browser.
func (s *api) hello(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := fmt.Fprint(w, "outrider delivers messages to URIs.\n\n"+
		"POST /v1/messages to send one; GET /v1/messages, /v1/stats and /v1/events to see what became of them.\n")
	return err
}

// reply answers with JSON. What goes wrong while writing is the client's doing:
// it has gone away.
func reply(w http.ResponseWriter, status int, body any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body)
	return nil
}

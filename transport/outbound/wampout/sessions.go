package wampout

import (
	"context"
	"sync"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/wamp2"
)

// leaveTimeout bounds saying goodbye.
const leaveTimeout = 2 * time.Second

// key is what messages must have in common to share a session. It holds secrets.
type key struct {
	profile                *profile.Profile
	router, realm          string
	method, authID, secret string
}

// entry is a session that is joined, or being joined.
type entry struct {
	key     key
	ready   chan struct{} // closed when joining has ended
	session *wamp2.Session
	err     error // why it could not join
	users   int
	idle    *time.Timer // runs while nobody uses it
	used    time.Time   // when it was used last
}

// sessions are those of a running transport.
type sessions struct {
	options  Options
	attempts *transport.Gate
	running  sync.WaitGroup
	// within makes a context that ends with the transport; ended says why it has.
	within func(time.Duration) (context.Context, context.CancelFunc)
	ended  func() error
	cancel context.CancelCauseFunc

	mu     sync.Mutex
	closed bool
	all    map[key]*entry
}

func newSessions(start context.Context, options Options) *sessions {
	run, cancel := context.WithCancelCause(start)
	return &sessions{
		options: options, attempts: transport.NewGate(), cancel: cancel, all: map[key]*entry{},
		within: func(d time.Duration) (context.Context, context.CancelFunc) { return context.WithTimeout(run, d) },
		ended:  func() error { return context.Cause(run) },
	}
}

// get returns the session for k, which release gives back. It joins where there is
// none, for all who wait for it; ctx bounds the wait alone.
func (s *sessions) get(ctx context.Context, k key, join func(context.Context) (*wamp2.Session, error)) (*entry, error) {
	e, err := s.enter(k, join)
	if err != nil {
		return nil, err
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		s.release(e)
		return nil, context.Cause(ctx)
	}
	if e.err != nil {
		s.release(e)
		return nil, e.err
	}
	return e, nil
}

func (s *sessions) enter(k key, join func(context.Context) (*wamp2.Session, error)) (*entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrStopped
	}
	e := s.all[k]
	if e != nil && e.hasEnded() {
		s.drop(e)
		e = nil
	}
	if e == nil {
		if len(s.all) >= s.options.MaxSessions && !s.evict() {
			return nil, errBusy
		}
		e = &entry{key: k, ready: make(chan struct{})}
		s.all[k] = e
		s.running.Go(func() { s.join(e, join) })
	}
	e.users++
	if e.idle != nil {
		e.idle.Stop()
		e.idle = nil
	}
	return e, nil
}

// hasEnded reports a session that was joined and has ended, or could not be joined.
func (e *entry) hasEnded() bool {
	select {
	case <-e.ready:
		return e.err != nil || e.session.Err() != nil
	default:
		return false
	}
}

func (s *sessions) join(e *entry, join func(context.Context) (*wamp2.Session, error)) {
	ctx, cancel := s.within(s.options.JoinTimeout)
	defer cancel()
	e.session, e.err = join(ctx)
	close(e.ready)
	if e.err == nil && s.ended() != nil { // abort may have missed it
		e.session.Abort()
	}
}

// release gives a session back.
func (s *sessions) release(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.users--
	if e.users > 0 || s.closed || s.all[e.key] != e {
		return
	}
	if e.hasEnded() {
		s.drop(e)
		return
	}
	e.used = time.Now()
	e.idle = time.AfterFunc(s.options.IdleTimeout, func() { s.leaveIdle(e) })
}

func (s *sessions) leaveIdle(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && e.users == 0 && s.all[e.key] == e {
		s.drop(e)
	}
}

// evict drops the session that was used least lately, and reports whether one was
// idle.
func (s *sessions) evict() bool {
	var oldest *entry
	for _, e := range s.all {
		if e.users == 0 && (oldest == nil || e.used.Before(oldest.used)) {
			oldest = e
		}
	}
	if oldest == nil {
		return false
	}
	s.drop(oldest)
	return true
}

// drop forgets a session, and leaves it in the background.
func (s *sessions) drop(e *entry) {
	delete(s.all, e.key)
	if e.idle != nil {
		e.idle.Stop()
	}
	s.running.Go(func() { s.leave(e) })
}

func (s *sessions) leave(e *entry) {
	<-e.ready
	if e.session == nil {
		return
	}
	ctx, cancel := s.within(leaveTimeout)
	defer cancel()
	_ = e.session.Leave(ctx) // it is closed in any case
}

// stop waits until no attempt is under way and leaves all sessions. Cut short by
// ctx, it can be called again.
func (s *sessions) stop(ctx context.Context) error {
	if transport.Wait(ctx, s.attempts.Close()) != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	s.closed = true
	for _, e := range s.all {
		s.drop(e)
	}
	s.mu.Unlock()
	left := make(chan struct{})
	go func() {
		s.running.Wait()
		close(left)
	}()
	if transport.Wait(ctx, left) != nil {
		s.cancel(ErrStopped)
		<-left // at once, since all of it heeds the context
	}
	s.cancel(ErrStopped)
	return nil
}

// abort ends everything at once.
func (s *sessions) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.all {
		select {
		case <-e.ready:
			if e.session != nil {
				e.session.Abort()
			}
		default: // joining heeds the context
		}
	}
}

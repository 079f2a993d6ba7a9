package transport

import (
	"context"
	"errors"
	"sync"
)

// ErrStarted is returned by Start on what is running already.
var ErrStarted = errors.New("already started")

// Lifecycle keeps the start-stop contract for what embeds it: Start works once
// until Stop; Stop may be called before Start, twice, and again after it was cut
// short. Both are safe for concurrent use and wait for each other. The zero
// value is ready.
type Lifecycle struct {
	mu      sync.Mutex
	running bool
}

// StartWith runs start, and counts as started when it returns nil.
func (l *Lifecycle) StartWith(start func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		return ErrStarted
	}
	if err := start(); err != nil {
		return err
	}
	l.running = true
	return nil
}

// StopWith runs stop when started. When stop fails the thing still counts as
// started, so that Stop can be called again to finish.
func (l *Lifecycle) StopWith(stop func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running {
		return nil
	}
	if err := stop(); err != nil {
		return err
	}
	l.running = false
	return nil
}

// AfterCancel runs abort when ctx ends: a transport's hard stop. The function that
// it returns ends that, and waits for an abort that has begun.
func AfterCancel(ctx context.Context, abort func()) (release func()) {
	aborted := make(chan struct{})
	detach := context.AfterFunc(ctx, func() {
		defer close(aborted)
		abort()
	})
	return func() {
		if !detach() {
			<-aborted
		}
	}
}

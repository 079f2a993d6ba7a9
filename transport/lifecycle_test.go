package transport_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/transport"
)

var errPlanned = errors.New("planned")

func TestLifecycle(t *testing.T) {
	t.Parallel()
	type step struct {
		do   string // "start" or "stop"
		give error  // what the function returns
		want error
		runs bool // whether the function is called
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"start, stop, start again", []step{{"start", nil, nil, true}, {"stop", nil, nil, true}, {"start", nil, nil, true}}},
		{"stop before start", []step{{"stop", nil, nil, false}, {"start", nil, nil, true}}},
		{"stop twice", []step{{"start", nil, nil, true}, {"stop", nil, nil, true}, {"stop", nil, nil, false}}},
		{"start twice", []step{{"start", nil, nil, true}, {"start", nil, transport.ErrStarted, false}, {"stop", nil, nil, true}}},
		{"start fails", []step{{"start", errPlanned, errPlanned, true}, {"stop", nil, nil, false}, {"start", nil, nil, true}}},
		{"stop is cut short", []step{
			{"start", nil, nil, true}, {"stop", errPlanned, errPlanned, true},
			{"start", nil, transport.ErrStarted, false}, {"stop", nil, nil, true}, {"stop", nil, nil, false},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l transport.Lifecycle
			for i, step := range tt.steps {
				ran := false
				run := map[string]func(func() error) error{"start": l.StartWith, "stop": l.StopWith}[step.do]
				err := run(func() error { ran = true; return step.give })
				if !errors.Is(err, step.want) || ran != step.runs {
					t.Errorf("step %d, %s: got %v, ran: %v", i, step.do, err, ran)
				}
			}
		})
	}
}

func TestLifecycleIsForMany(t *testing.T) {
	t.Parallel()
	var l transport.Lifecycle
	var starts, refused atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch err := l.StartWith(func() error { starts.Add(1); return nil }); {
			case errors.Is(err, transport.ErrStarted):
				refused.Add(1)
			case err != nil:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if starts.Load() != 1 || refused.Load() != 15 {
		t.Errorf("%d started, %d were refused", starts.Load(), refused.Load())
	}
}

func TestStopWaitsForStart(t *testing.T) {
	t.Parallel()
	var l transport.Lifecycle
	var started, stopped atomic.Bool
	var wg sync.WaitGroup
	err := l.StartWith(func() error {
		wg.Go(func() {
			err := l.StopWith(func() error {
				if !started.Load() {
					t.Error("stop ran while start did")
				}
				stopped.Store(true)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		for range 1000 {
			runtime.Gosched()
		}
		started.Store(true)
		return nil
	})
	wg.Wait()
	if err != nil || !stopped.Load() {
		t.Errorf("start: %v, stopped: %v", err, stopped.Load())
	}
}

func TestAfterCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		aborted, hold := false, make(chan struct{})
		release := transport.AfterCancel(ctx, func() {
			<-hold
			aborted = true
		})
		cancel()
		synctest.Wait()
		time.AfterFunc(time.Second, func() { close(hold) })
		if release(); !aborted {
			t.Error("release did not wait for the abort")
		}
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		release = transport.AfterCancel(ctx, func() { t.Error("it is aborted after its release") })
		release()
		cancel()
		synctest.Wait()
	})
}

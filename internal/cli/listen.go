package cli

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/internal/receiver"
)

// closeWait is how long requests under way may take when a listener stops.
const closeWait = 2 * time.Second

// listenFlags are the flags of listen.
type listenFlags struct {
	status     int
	retryAfter uint16
	failFirst  uint16
	delay      time.Duration
	count      uint32
	json       bool
}

func newListen(c *console) *cobra.Command {
	var flags listenFlags
	command := &cobra.Command{
		Use: "listen URL...", Short: "Receive messages and print them",
		Long: `Listen receives what is posted to it and prints each message as a line of JSON on
stdout, until it is stopped. It can misbehave on purpose. Port 0 takes a free
port; the line on stderr says which.`,
		Example: `  outrider listen http://127.0.0.1:9000
  outrider listen http://127.0.0.1:0 --fail-first 2 --retry-after 1`,
		Args: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("URL is missing: %s", command.UseLine())
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error { return flags.run(command.Context(), c, args) },
	}
	set := command.Flags()
	set.IntVar(&flags.status, "status", 200, "HTTP `status` to answer, 200 to 599")
	set.Uint16Var(&flags.retryAfter, "retry-after", 0, "answer with a Retry-After header of so many `seconds`")
	set.Uint16Var(&flags.failFirst, "fail-first", 0, "answer 503 to the first `n` messages of each URL")
	set.DurationVar(&flags.delay, "delay", 0, "wait before each answer")
	set.Uint32Var(&flags.count, "count", 0, "stop after `n` messages; 0 goes on")
	set.BoolVar(&flags.json, "json", false, "say where it listens as JSON, too")
	return command
}

func (f *listenFlags) run(ctx context.Context, c *console, urls []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := &arrivals{console: c, limit: f.count, full: cancel}
	servers, err := f.open(ctx, log, urls)
	if err == nil {
		err = f.announce(c, servers)
	}
	if err == nil {
		waitForAny(ctx, servers)
	}
	return errors.Join(err, closeAll(ctx, servers), log.fault())
}

// open listens at each URL. It returns those that do, also with an error.
func (f *listenFlags) open(ctx context.Context, log *arrivals, urls []string) (servers []*receiver.Server, err error) {
	if f.status < 200 || f.status > 599 {
		return nil, usagef("--status is %d: want 200 to 599", f.status)
	}
	if f.delay < 0 {
		return nil, usagef("--delay is negative")
	}
	for _, url := range urls {
		r, err := receiver.New(receiver.Options{
			Answer:    receiver.Answer{Status: f.status, RetryAfter: int(f.retryAfter), Delay: f.delay},
			FailFirst: int(f.failFirst), Sink: log.add,
		})
		if err != nil {
			return servers, err
		}
		server, err := r.Listen(ctx, url)
		if err != nil {
			return servers, err
		}
		servers = append(servers, server)
	}
	return servers, nil
}

func (f *listenFlags) announce(c *console, servers []*receiver.Server) error {
	urls := make([]string, len(servers))
	for i, server := range servers {
		urls[i] = server.URL() + "/"
	}
	if f.json {
		return writeJSON(c.err, map[string][]string{"listening": urls})
	}
	c.notef("listening on %s", strings.Join(urls, " "))
	return nil
}

// waitForAny returns when ctx ends or one of the servers does.
func waitForAny(ctx context.Context, servers []*receiver.Server) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var waiting sync.WaitGroup
	for _, server := range servers {
		waiting.Go(func() {
			defer cancel()
			select {
			case <-server.Done():
			case <-ctx.Done():
			}
		})
	}
	waiting.Wait()
}

// closeAll lets requests under way end, so that their senders get an answer.
func closeAll(ctx context.Context, servers []*receiver.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	var faults []error
	for _, server := range servers {
		faults = append(faults, server.Close(ctx))
	}
	return errors.Join(faults...)
}

// arrivals prints what the receivers of one command get.
type arrivals struct {
	console *console
	limit   uint32
	full    func() // called when there were limit messages, or nobody reads them

	mu    sync.Mutex // keeps lines whole, and guards what follows
	count uint32
	err   error
}

func (a *arrivals) add(message receiver.Received) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	if err := a.console.json(message); err != nil {
		a.err = err
	}
	if a.count == a.limit || a.err != nil {
		a.full()
	}
}

func (a *arrivals) fault() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

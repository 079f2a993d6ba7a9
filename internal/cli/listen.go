package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/receiver"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/ingress"
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
		Long: `Listen receives messages at each URL (http, ws), or from it (amqp), and prints each as
a line of JSON on stdout, until it is stopped. Port 0 takes a free port; the line on
stderr says which. With --status, --retry-after, --fail-first or --delay it misbehaves on
purpose, over http alone.`,
		Example: `  outrider listen http://127.0.0.1:9000 ws://127.0.0.1:9001
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

// misbehaves reports whether requests are to be answered otherwise than a receiver
// of messages does.
func (f *listenFlags) misbehaves() bool {
	return f.status != 200 || f.retryAfter != 0 || f.failFirst != 0 || f.delay != 0
}

func (f *listenFlags) run(ctx context.Context, c *console, urls []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := &arrivals{console: c, limit: f.count, full: cancel}
	if err := f.check(urls); err != nil {
		return usagef("listen: %w", err)
	}
	receive := f.receive
	if f.misbehaves() {
		receive = f.misbehave
	}
	return errors.Join(receive(ctx, c, log, urls), log.fault())
}

// check finds what is wrong with the command line. No error repeats a URL: it may
// hold a password.
func (f *listenFlags) check(urls []string) error {
	switch {
	case f.status < 200 || f.status > 599:
		return fmt.Errorf("--status is %d: want 200 to 599", f.status)
	case f.delay < 0:
		return errors.New("--delay is negative")
	}
	schemes := []string{"http", "ws", "amqp", "amqps"}
	for _, url := range urls {
		if f.misbehaves() {
			if _, _, err := ingress.Address(url, "http"); err != nil {
				return fmt.Errorf("to misbehave on purpose: %w", err)
			}
			continue
		}
		var err error
		if isQueue(url) {
			_, err = transport.ParseEndpoint(url)
		} else {
			_, _, err = ingress.Address(url, schemes...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receive prints what an agent's receivers get.
func (f *listenFlags) receive(ctx context.Context, c *console, log *arrivals, urls []string) error {
	in := agent.InboundConfig{Handler: agent.HandlerPrint}
	for _, url := range urls {
		if !isQueue(url) {
			in.Listen = append(in.Listen, url)
			continue
		}
		endpoint, err := transport.ParseEndpoint(url)
		if err != nil {
			return err
		}
		in.From = append(in.From, endpoint)
	}
	logger, err := agent.LogConfig{Level: "error", Format: "console"}.NewLogger(c.err)
	if err != nil {
		return err
	}
	receivers, err := agent.New(agent.Config{
		Memory: true, AllowPrivate: true, API: agent.APIConfig{Listen: agent.ListenOff}, Inbound: in,
	}, agent.Options{Handler: printer(log.add), Logger: logger})
	if wrong, ok := errors.AsType[*agent.KeyError](err); ok { // its keys are the URLs
		return usagef("listen: %w", wrong.Err)
	}
	if err != nil {
		return err
	}
	lasting := context.WithoutCancel(ctx)
	if err := receivers.Start(lasting); err != nil {
		return err
	}
	err = f.announce(c, receivers.Inbound().Addresses())
	if err == nil {
		<-ctx.Done()
	}
	stopping, cancel := context.WithTimeout(lasting, closeWait)
	defer cancel()
	_, stopErr := receivers.Stop(stopping)
	return errors.Join(err, stopErr)
}

// misbehave prints what receivers get that answer as the flags say.
func (f *listenFlags) misbehave(ctx context.Context, c *console, log *arrivals, urls []string) error {
	servers, err := f.open(ctx, log, urls)
	if err == nil {
		where := make([]string, len(servers))
		for i, server := range servers {
			where[i] = server.URL()
		}
		err = f.announce(c, where)
	}
	if err == nil {
		waitForAny(ctx, servers)
	}
	return errors.Join(err, closeAll(ctx, servers))
}

// open listens at each URL. It returns those that do, also with an error.
func (f *listenFlags) open(ctx context.Context, log *arrivals, urls []string) (servers []*receiver.Server, err error) {
	for _, url := range urls {
		r, err := receiver.New(receiver.Options{
			Answer:    receiver.Answer{Status: f.status, RetryAfter: int(f.retryAfter), Delay: f.delay},
			FailFirst: int(f.failFirst), Sink: func(message receiver.Received) { _ = log.add(message) }, // fault tells of it
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

func (f *listenFlags) announce(c *console, urls []string) error {
	for i := range urls {
		if !isQueue(urls[i]) {
			urls[i] += "/"
		}
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

func (a *arrivals) add(message receiver.Received) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	err := a.console.json(message)
	if err != nil {
		a.err = err
	}
	if a.count == a.limit || a.err != nil {
		a.full()
	}
	return err
}

func (a *arrivals) fault() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

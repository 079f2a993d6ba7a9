package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

const (
	deadHost     = "bench://dead/inbox"
	healthyHosts = 100
	fillBatch    = 64
	probes       = 2000 // messages timed
	probeEvery   = 2 * time.Millisecond
	queryTime    = 2 * time.Second // for the repetitions of one query
	fewKeys      = 100
)

// benchBacklog measures a queue in which a million messages wait, nearly all of
// them for a destination that is down: how soon the store opens after a crash,
// whether others are delayed, what memory it takes, how long look-ups take, and
// whether it drains at an even rate. Then it opens stores whose messages have keys:
// an idempotency key each, and one of a hundred ordering keys, or an ordering key
// each. Each part has a process of its own.
func benchBacklog(ctx context.Context, s settings, _ *sinkProcess) (figures []figure, err error) {
	dir, err := os.MkdirTemp(s.dir, "outrider-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, part := range []struct {
		name string
		keys int
	}{{"empty", 0}, {"fill", 0}, {"wait", 0}, {"drain", 0}, {"fill", fewKeys}, {"open", fewKeys}, {"fill", s.pending}, {"open", s.pending}} {
		command := exec.CommandContext(ctx, os.Args[0], "-backlog", part.name, "-dir", dir, "-pending", strconv.Itoa(s.pending), "-keys", strconv.Itoa(part.keys)) //nolint:gosec // itself
		command.Stderr = os.Stderr
		out, err := command.Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		var more []figure
		if err := json.Unmarshal(out, &more); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		figures = append(figures, more...)
	}
	return append(figures, atMost("healthy destination beside the backlog, p99 added", valueOf(figures, waitP99)-valueOf(figures, emptyP99), "ms", 10)), nil
}

const (
	emptyP99 = "send to attempt, nothing else waits, p99"
	waitP99  = "send to attempt beside the backlog, p99"
)

func valueOf(figures []figure, name string) float64 {
	for _, f := range figures {
		if f.Name == name {
			return f.Value
		}
	}
	return 0
}

// runBacklog is a part, in its own process.
func runBacklog(ctx context.Context, part string, s settings) error {
	parts := map[string]func(context.Context, settings) ([]figure, error){
		"empty": backlogEmpty, "fill": backlogFill, "wait": backlogWait, "drain": backlogDrain, "open": backlogOpen,
	}
	figures, err := parts[part](ctx, s)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures)
}

// backlogOn starts a framework over the store in a directory, with a transport of
// two kinds of hosts.
func backlogOn(ctx context.Context, dir string, down bool) (*framework, *hosts, error) {
	started := time.Now()
	store, err := sqlitequeue.Open(ctx, dir, sqlitequeue.Options{})
	if err != nil {
		return nil, nil, err
	}
	h := &hosts{down: down, opened: time.Since(started)}
	counted, err := store.Stats(ctx, queue.ByTotal)
	if err != nil {
		return nil, nil, err
	}
	h.waiting = counted[0].Waiting()
	f, err := newFrameworkOn(ctx, store, outbound.Options{MaxMessages: 4_000_000, MaxBytes: 16 << 30}, h)
	return f, h, err
}

func backlogEmpty(ctx context.Context, s settings) ([]figure, error) {
	f, h, err := backlogOn(ctx, s.dir+"/empty", true)
	if err != nil {
		return nil, err
	}
	p50, p99, err := probe(ctx, f, h)
	return []figure{
		plain("send to attempt, nothing else waits, p50", p50, "ms"),
		plain(emptyP99, p99, "ms"),
	}, errors.Join(err, f.close(ctx))
}

// backlogFill fills the store and leaves it as a crash does.
func backlogFill(ctx context.Context, s settings) ([]figure, error) {
	store, err := sqlitequeue.Open(ctx, s.backlogDir(), sqlitequeue.Options{})
	if err != nil {
		return nil, err
	}
	payload := make([]byte, payloadBytes)
	batch := make([]queue.Message, fillBatch)
	started := time.Now()
	for sent := 0; sent < s.pending; sent += fillBatch {
		for i := range batch {
			host := deadHost
			if (sent+i)%100 == 0 {
				host = fmt.Sprintf("bench://h%d/inbox", (sent+i)/100%healthyHosts)
			}
			batch[i] = queue.Message{
				ID: store.NewID(), Lane: queue.Lane{Profile: "default", Destination: strings.TrimSuffix(host, "/inbox")},
				Endpoint: host, URI: transport.NewSecret(host), Format: "raw", ContentType: "application/octet-stream", Payload: payload,
			}
			if s.keys > 0 {
				batch[i].OrderingKey, batch[i].IdempotencyKey = fmt.Sprint("order-", (sent+i)%s.keys), fmt.Sprint("message-", sent+i)
			}
		}
		if _, err := store.Enqueue(ctx, batch); err != nil {
			return nil, err
		}
	}
	rate := float64(s.pending) / time.Since(started).Seconds()
	return []figure{plain(fmt.Sprintf("accepted by one caller in batches of %d%s", fillBatch, s.withKeys()), rate, "/s")}, nil
}

// backlogDir is where the backlog is, which differs by the keys of its messages.
func (s *settings) backlogDir() string { return fmt.Sprintf("%s/full-%d", s.dir, s.keys) }

func (s *settings) withKeys() string {
	if s.keys == 0 {
		return ""
	}
	return fmt.Sprintf(", %d ordering keys", s.keys)
}

// backlogOpen opens the store after a crash, and no more.
func backlogOpen(ctx context.Context, s settings) ([]figure, error) {
	started, used := time.Now(), cpuTime()
	store, err := sqlitequeue.Open(ctx, s.backlogDir(), sqlitequeue.Options{})
	if err != nil {
		return nil, err
	}
	took, used := time.Since(started), cpuTime()-used
	figures := []figure{
		atMost("the store opens after a crash"+s.withKeys()+", in", took.Seconds(), "s", 2),
		plain("CPU time of that", used.Seconds(), "s"),
		atMost("memory of the process (RSS)"+s.withKeys(), rss()/(1<<20), "MiB", 300),
	}
	return figures, errors.Join(store.Close(ctx), os.RemoveAll(s.backlogDir()))
}

// backlogWait works beside the backlog, whose destination is down.
func backlogWait(ctx context.Context, s settings) ([]figure, error) {
	f, h, err := backlogOn(ctx, s.backlogDir(), true)
	if err != nil {
		return nil, err
	}
	for h.delivered.Load() < int64(s.pending/100) { // those for the healthy ones
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
	p50, p99, err := probe(ctx, f, h)
	if err != nil {
		return nil, err
	}
	queries, err := timeQueries(ctx, f.store)
	if err != nil {
		return nil, err
	}
	runtime.GC()
	return append([]figure{
		atMost("the store opens after a crash in", h.opened.Seconds(), "s", 2),
		plain("send to attempt beside the backlog, p50", p50, "ms"),
		plain(waitP99, p99, "ms"),
		atMost("memory of the process (RSS)", rss()/(1<<20), "MiB", 300),
	}, queries...), f.close(ctx)
}

// timeQueries times what people ask of a large store.
func timeQueries(ctx context.Context, store queue.Store) ([]figure, error) {
	page, err := store.List(ctx, queue.Query{Descending: true})
	if err != nil || len(page.Records) == 0 {
		return nil, fmt.Errorf("list: %d records, %w", len(page.Records), err)
	}
	id := page.Records[0].ID
	dead, healthy := queue.Lane{Profile: "default", Destination: "bench://dead"}, queue.Lane{Profile: "default", Destination: "bench://h7"}
	var figures []figure
	for _, ask := range []struct {
		name string
		do   func() error
	}{
		{"look up one by id", func() error { _, err := store.Get(ctx, []transport.ID{id}, true); return err }},
		{"list the first", listing(ctx, store, queue.Query{})},
		{"list the latest", listing(ctx, store, queue.Query{Descending: true})},
		{"list those of a destination", listing(ctx, store, queue.Query{Profile: healthy.Profile, Destination: healthy.Destination, Descending: true})},
		{"list those of the large one", listing(ctx, store, queue.Query{Profile: dead.Profile, Destination: dead.Destination})},
		{"list what waits", listing(ctx, store, queue.Query{States: []queue.State{queue.StatePending}})},
		{"list what is delivered", listing(ctx, store, queue.Query{Results: []queue.Result{queue.Delivered}})},
		{"list what is dead (nothing)", listing(ctx, store, queue.Query{Results: []queue.Result{queue.Dead}})},
		{"list what waits for a retry", listing(ctx, store, queue.Query{States: []queue.State{queue.StateRetry}, Descending: true})},
		{"list what is being attempted", listing(ctx, store, queue.Query{States: []queue.State{queue.StateDeliver}})},
		{"list those of an endpoint", listing(ctx, store, queue.Query{Destination: healthy.Destination, Endpoint: "bench://h7/inbox", Descending: true})},
		{"list retries of a profile", listing(ctx, store, queue.Query{Profile: "default", States: []queue.State{queue.StateRetry}})},
		{"list what has died since (nothing)", listing(ctx, store, queue.Query{Since: time.Now().Add(-time.Second), Results: []queue.Result{queue.Dead}})},
		{"list what is delivered of a destination", listing(ctx, store, queue.Query{
			Profile: healthy.Profile, Destination: healthy.Destination, Results: []queue.Result{queue.Delivered},
		})},
		{"count by destination", func() error { _, err := store.Stats(ctx, queue.ByLane); return err }},
	} {
		took := make([]float64, 0, 50)
		for enough := time.Now().Add(queryTime); len(took) == 0 || len(took) < cap(took) && time.Now().Before(enough); {
			started := time.Now()
			if err := ask.do(); err != nil {
				return nil, fmt.Errorf("%s: %w", ask.name, err)
			}
			took = append(took, time.Since(started).Seconds()*1e3)
		}
		figures = append(figures, atMost(ask.name+", p50", median(took), "ms", 5))
	}
	return figures, nil
}

func listing(ctx context.Context, store queue.Store, q queue.Query) func() error {
	return func() error {
		_, err := store.List(ctx, q)
		return err
	}
}

// backlogDrain delivers it all, and compares the first tenth with the last.
func backlogDrain(ctx context.Context, s settings) ([]figure, error) {
	f, h, err := backlogOn(ctx, s.backlogDir(), false)
	if err != nil {
		return nil, err
	}
	tenth := h.waiting / 10
	var rates []float64
	for part := range int64(10) {
		from, started := h.delivered.Load(), time.Now()
		for h.delivered.Load() < (part+1)*tenth {
			if err := pause(ctx, time.Millisecond); err != nil {
				return nil, err
			}
		}
		rates = append(rates, float64(h.delivered.Load()-from)/time.Since(started).Seconds())
	}
	middle := rates[1:9]
	return []figure{
		plain("drain: messages", median(rates), "/s"),
		plain("drain: slowest tenth / median", quantile(middle, 0)/median(middle), ""),
		{Name: "drain: last tenth / first", Value: rates[9] / rates[0], Promise: ">= 0.8", Verdict: verdict(rates[9]/rates[0] >= 0.8)},
	}, f.close(ctx)
}

// probe times messages to a healthy destination, from the call to the attempt.
func probe(ctx context.Context, f *framework, h *hosts) (p50, p99 float64, err error) {
	endpoint, err := transport.ParseEndpoint("bench://probe/inbox")
	if err != nil {
		return 0, 0, err
	}
	h.probes = make(chan time.Time, probes)
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	took := make([]float64, 0, probes)
	for range probes {
		<-ticker.C
		started := time.Now()
		if err := f.send(ctx, endpoint, stamped(), 1); err != nil {
			return 0, 0, err
		}
		select {
		case at := <-h.probes:
			took = append(took, at.Sub(started).Seconds()*1e3)
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	return median(took), quantile(took, 0.99), nil
}

// hosts is a transport whose host "dead" may be down.
type hosts struct {
	scripted
	opened    time.Duration // what the store took to open
	waiting   int64         // messages, before any was attempted
	down      bool
	delivered atomic.Int64
	probes    chan time.Time
}

// HandleMessage implements outbound.Transport.
func (h *hosts) HandleMessage(_ context.Context, m *outbound.Message) (outbound.Receipt, error) {
	switch m.Endpoint.Host() {
	case "dead":
		if h.down {
			return outbound.Receipt{}, errors.New("down")
		}
	case "probe":
		h.probes <- time.Now()
		return outbound.Receipt{Evidence: transport.Acknowledged}, nil
	}
	h.delivered.Add(1)
	return outbound.Receipt{Evidence: transport.Acknowledged}, nil
}

// rss is the memory of this process that is in RAM, in bytes.
func rss() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			return kib * 1024
		}
	}
	return 0
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

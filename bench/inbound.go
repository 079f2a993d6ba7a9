package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/httpin"
	"github.com/outrider-go/outrider/transport/inbound/wsin"
	"github.com/outrider-go/outrider/wireformat"
)

// benchInbound compares the receiver over HTTP with a bare handler that reads the
// body and answers.
func benchInbound(ctx context.Context, s settings, _ *sinkProcess) ([]figure, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	peer, err := startPeer(ctx)
	if err != nil {
		return nil, err
	}
	defer peer.stop()
	driver, err := httpin.New("127.0.0.1:0", httpin.Options{})
	if err != nil {
		return nil, err
	}
	var handled atomic.Int64
	manager, err := receiver(ctx, driver, inbound.Options{}, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		handled.Add(1)
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	contestants := []*contestant{{name: "httpin", deliver: posts(peer, strings.TrimPrefix(driver.Address(), "http://"))}}
	for _, name := range []string{"bare", "bare again"} {
		address, err := bareHandler(ctx)
		if err != nil {
			return nil, err
		}
		contestants = append(contestants, &contestant{name: name, deliver: posts(peer, address)})
	}
	if err := warmUp(contestants, s.slice); err != nil {
		return nil, err
	}
	handled.Store(0)
	if err := takeTurns(ctx, contestants, s); err != nil {
		return nil, err
	}
	if want := int64(s.rounds * s.slice); handled.Load() != want {
		return nil, fmt.Errorf("%d messages were handled of %d", handled.Load(), want)
	}
	ours, bare, twin := contestants[0], contestants[1], contestants[2]
	same := ratio("bare net/http handler / itself (A/A)", paired(twin.rates, bare.rates))
	return []figure{
		plain("bare net/http handler: requests", median(bare.rates), "/s"),
		plain("httpin: messages", median(ours.rates), "/s"),
		same,
		atLeastRatio("httpin / bare net/http handler, requests per second", paired(ours.rates, bare.rates), 0.8, same.Value),
		ratio("httpin / bare net/http handler, CPU per request", paired(ours.cpu, bare.cpu)),
		plain("bare net/http handler: allocations per request", median(bare.allocs), ""),
		plain("httpin: allocations per message", median(ours.allocs), ""),
	}, manager.Stop(ctx)
}

func posts(peer *peerProcess, address string) func(n int) error {
	return func(n int) error {
		_, err := peer.do(peerOrder{Post: address, N: n})
		return err
	}
}

// receiver starts a manager with one transport.
func receiver(ctx context.Context, t inbound.Transport, options inbound.Options, handler inbound.Handler) (*inbound.Manager, error) {
	manager, err := inbound.New(handler, options)
	if err != nil {
		return nil, err
	}
	return manager, errors.Join(manager.Register(t), manager.Start(ctx))
}

// bareHandler serves what people write by hand, until ctx ends.
func bareHandler(ctx context.Context) (address string, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				http.Error(w, "", http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusOK)
		}),
	}
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return listener.Addr().String(), nil
}

// benchSessions opens many sockets, lets them be idle, and delivers a message to
// each.
func benchSessions(ctx context.Context, s settings, _ *sinkProcess) ([]figure, error) {
	peer, err := startPeer(ctx)
	if err != nil {
		return nil, err
	}
	defer peer.stop()
	driver, err := wsin.New("127.0.0.1:0", wsin.Options{})
	if err != nil {
		return nil, err
	}
	var known atomic.Int64
	manager, err := receiver(ctx, driver, inbound.Options{Tenants: inbound.TenantsFunc(
		func(_ context.Context, o *inbound.Origin, _ *wireformat.Frame) (inbound.Tenant, error) {
			return inbound.Tenant{Profile: profile.Default(), Peer: o.Header["Peer"]}, nil
		})},
		func(context.Context, *inbound.Message) (*inbound.Reply, error) {
			known.Add(1)
			return nil, nil
		})
	if err != nil {
		return nil, err
	}
	before := liveHeap() + stacks()
	if _, err := peer.do(peerOrder{Connect: strings.TrimPrefix(driver.Address(), "ws://"), N: s.sessions}); err != nil {
		return nil, err
	}
	if err := waitUntil(ctx, func() bool { return known.Load() == int64(s.sessions) }); err != nil {
		return nil, fmt.Errorf("%d of %d sessions are known: %w", known.Load(), s.sessions, err)
	}
	if err := pause(ctx, s.idle); err != nil {
		return nil, err
	}
	each := float64(liveHeap()+stacks()-before) / float64(s.sessions)
	idle, err := idleCPU(ctx, s.idle)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	missing, err := deliverToAll(ctx, manager, s.sessions)
	if err != nil {
		return nil, err
	}
	took := time.Since(begun)
	seen, err := peer.do(peerOrder{})
	if err != nil {
		return nil, err
	}
	return []figure{
		plain("open sessions over WebSocket", float64(s.sessions), ""),
		atMost("bytes of heap and stacks per idle session", each, "B", 40<<10),
		plain("CPU with all idle, heartbeats and their pongs", idle, "%"),
		atMost("deliveries not acknowledged", float64(missing), "", 0),
		atMost("messages that the peers have not got", float64(s.sessions-seen.Received), "", 0),
		plain("deliveries, one to each session, acknowledged", float64(s.sessions)/took.Seconds(), "/s"),
	}, manager.Stop(ctx)
}

// deliverToAll delivers one message to each peer, and returns how many of them
// were not acknowledged.
func deliverToAll(ctx context.Context, manager *inbound.Manager, n int) (missing int64, err error) {
	var next, failed atomic.Int64
	errs := make([]error, inFlight)
	var group sync.WaitGroup
	for worker := range inFlight {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				to := transport.Peer{Keys: []string{strconv.FormatInt(i, 10)}}
				evidence, err := manager.Deliver(ctx, profile.DefaultID, to, transport.ID{}, wireformat.Frame{Body: []byte("message")})
				if err != nil || evidence != transport.Acknowledged {
					failed.Add(1)
					errs[worker] = err
				}
			}
		})
	}
	group.Wait()
	return failed.Load(), errors.Join(errs...)
}

// waitUntil waits for what nothing tells of.
func waitUntil(ctx context.Context, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

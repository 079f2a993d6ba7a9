package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/wsout"
)

// benchWS compares wsout with what people write around gorilla/websocket: the
// writes alone, and messages that are acknowledged.
func benchWS(ctx context.Context, s settings, sink *sinkProcess) ([]figure, error) {
	writes, err := benchWSWrites(ctx, s, sink)
	if err != nil {
		return nil, err
	}
	acks, err := benchWSAcks(ctx, s, sink)
	return append(writes, acks...), err
}

// benchWSWrites has 64 senders write to one connection, without acknowledgements.
func benchWSWrites(ctx context.Context, s settings, sink *sinkProcess) ([]figure, error) {
	uri := "ws://" + sink.WS + "/drop"
	payload := make([]byte, payloadBytes)
	var contestants []*contestant
	var took []float64 // microseconds, of ours
	var closing []func()
	defer func() {
		for _, closeIt := range closing {
			closeIt()
		}
	}()
	for _, name := range []string{"mutex", "wsout", "mutex again"} {
		write := mutexWriter
		if name == "wsout" {
			write = wsoutWriter
		}
		send, closeIt, err := write(ctx, uri, payload)
		if err != nil {
			return nil, err
		}
		closing = append(closing, closeIt)
		contestants = append(contestants, &contestant{name: name, deliver: func(n int) error {
			all, err := timed(inFlight, n, send)
			if name == "wsout" {
				took = append(took, quantile(all, 0.99))
			}
			return err
		}})
	}
	s.slice *= 4 // it is fast
	if err := warmUp(contestants, 2*s.slice); err != nil {
		return nil, err
	}
	took = took[:0]
	if err := takeTurns(ctx, contestants, s); err != nil {
		return nil, err
	}
	mutex, ours, twin := contestants[0], contestants[1], contestants[2]
	same := ratio("mutex around WriteMessage / itself (A/A)", paired(twin.rates, mutex.rates))
	p99 := atMost("wsout: 64 senders on one connection, p99", median(took)/1000, "ms", 1)
	return []figure{
		plain("mutex around WriteMessage: 64 senders, one connection", median(mutex.rates), "/s"),
		plain("wsout: 64 senders, one connection", median(ours.rates), "/s"),
		same,
		atLeastRatio("wsout / mutex around WriteMessage, writes", paired(ours.rates, mutex.rates), 3, same.Value),
		ratio("wsout / mutex around WriteMessage, CPU per write", paired(ours.cpu, mutex.cpu)),
		plain("wsout: allocations per write", median(ours.allocs), ""),
		p99,
	}, nil
}

// benchWSAcks compares acknowledged messages: through the whole framework, on a
// bare connection, and with a connection for each.
func benchWSAcks(ctx context.Context, s settings, sink *sinkProcess) ([]figure, error) {
	uri := "ws://" + sink.WS + "/ack"
	endpoint, err := transport.ParseEndpoint("ws://" + sink.WS + "/drop") // where pings acknowledge
	if err != nil {
		return nil, err
	}
	payload := make([]byte, payloadBytes)
	driver, err := wsout.New(wsout.Options{Ack: wsout.AckPing})
	if err != nil {
		return nil, err
	}
	ours, err := newFramework(ctx, outbound.Options{Workers: inFlight, LaneConcurrency: inFlight}, driver)
	if err != nil {
		return nil, err
	}
	bare, err := newBareWS(ctx, uri, payload)
	if err != nil {
		return nil, err
	}
	defer bare.close()
	twin, err := newBareWS(ctx, uri, payload)
	if err != nil {
		return nil, err
	}
	defer twin.close()
	loop := func(send func() error) func(int) error {
		return func(n int) error {
			_, err := timed(inFlight, n, send)
			return err
		}
	}
	framework := contestant{name: "framework", deliver: func(n int) error { return ours.deliver(ctx, endpoint, payload, n) }}
	contestants := []*contestant{
		{name: "bare", deliver: loop(bare.send)}, &framework, {name: "bare again", deliver: loop(twin.send)},
	}
	if err := warmUp(contestants, 2*s.slice); err != nil {
		return nil, err
	}
	if err := takeTurns(ctx, contestants, s); err != nil {
		return nil, err
	}
	same := ratio("bare write and ack / itself (A/A)", paired(contestants[2].rates, contestants[0].rates))
	figures := []figure{
		plain("bare gorilla write and ack: 64 in flight, one connection", median(contestants[0].rates), "/s"),
		plain("framework: acknowledged by pings", median(framework.rates), "/s"),
		same,
		atLeastRatio("framework, acknowledged / bare write and ack", paired(framework.rates, contestants[0].rates), 0.6, same.Value),
		ratio("framework / bare write and ack, CPU per message", paired(framework.cpu, contestants[0].cpu)),
		plain("framework: allocations per message over ws", median(framework.allocs), ""),
	}
	again, each := framework, contestant{name: "a connection per message", deliver: loop(func() error { return dialAndSend(ctx, uri, payload) })}
	again.rates = nil
	s.slice, s.rounds = max(s.slice/5, inFlight), max(s.rounds/4, 5)
	if err := takeTurns(ctx, []*contestant{&again, &each}, s); err != nil {
		return nil, err
	}
	figures = append(figures,
		plain("gorilla, a connection per message", median(each.rates), "/s"),
		atLeastRatio("framework, acknowledged / a connection per message", paired(again.rates, each.rates), 10, 1))
	return figures, ours.close(ctx)
}

// dialWS is gorilla's dialer, set up as one would.
func dialWS(ctx context.Context, uri string) (*websocket.Conn, error) {
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second}
	ws, response, err := dialer.DialContext(ctx, uri, http.Header{})
	if err != nil {
		return nil, err
	}
	return ws, response.Body.Close()
}

// mutexWriter is what people write: a mutex around WriteMessage, and a deadline
// for each.
func mutexWriter(ctx context.Context, uri string, payload []byte) (send func() error, closeIt func(), err error) {
	ws, err := dialWS(ctx, uri)
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	send = func() error {
		mu.Lock()
		defer mu.Unlock()
		if err := ws.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		return ws.WriteMessage(websocket.BinaryMessage, payload)
	}
	return send, func() { _ = ws.Close() }, nil
}

// wsoutWriter is the transport without a queue in front of it.
func wsoutWriter(ctx context.Context, uri string, payload []byte) (send func() error, closeIt func(), err error) {
	driver, err := wsout.New(wsout.Options{})
	if err != nil {
		return nil, nil, err
	}
	if err := driver.Start(ctx); err != nil {
		return nil, nil, err
	}
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		return nil, nil, err
	}
	tenant, err := newTenant()
	if err != nil {
		return nil, nil, err
	}
	m := &outbound.Message{Endpoint: endpoint, Payload: payload, Profile: tenant, ID: transport.NewID(time.Now())}
	send = func() error {
		_, err := driver.HandleMessage(ctx, m)
		return err
	}
	return send, func() { _ = driver.Stop(ctx) }, nil
}

// bareWS is what people write who want acknowledgements: a mutex around
// WriteMessage, a reader, and a queue of those that wait.
type bareWS struct {
	ws      *websocket.Conn
	payload []byte
	done    sync.WaitGroup

	mu      sync.Mutex
	waiting chan chan error
}

func newBareWS(ctx context.Context, uri string, payload []byte) (*bareWS, error) {
	ws, err := dialWS(ctx, uri)
	if err != nil {
		return nil, err
	}
	b := &bareWS{ws: ws, payload: payload, waiting: make(chan chan error, inFlight)}
	b.done.Go(func() {
		for {
			_, _, err := ws.ReadMessage()
			select {
			case acked := <-b.waiting:
				acked <- err
			default:
			}
			if err != nil {
				return
			}
		}
	})
	return b, nil
}

func (b *bareWS) send() error {
	acked := make(chan error, 1)
	b.mu.Lock()
	b.waiting <- acked
	err := b.ws.WriteMessage(websocket.BinaryMessage, b.payload)
	b.mu.Unlock()
	if err != nil {
		return err
	}
	return <-acked
}

func (b *bareWS) close() {
	_ = b.ws.Close()
	b.done.Wait()
}

// dialAndSend makes a connection for one message, as ACA-Py does, and waits for
// the acknowledgement.
func dialAndSend(ctx context.Context, uri string, payload []byte) error {
	ws, err := dialWS(ctx, uri)
	if err != nil {
		return err
	}
	defer func() { _ = ws.Close() }()
	if err := ws.WriteMessage(websocket.BinaryMessage, payload); err != nil {
		return err
	}
	_, _, err = ws.ReadMessage()
	return err
}

package cli

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/internal/receiver"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
)

// sample is what the demo sends: a payload on each line.
//
//go:embed sample.ndjson
var sample []byte

// place is a destination of the demo.
type place struct {
	name   string
	url    string
	server *receiver.Server // nil where nothing listens, or an agent does
	peer   *agent.Agent     // nil where no agent receives
	broker *amqppeer.Peer   // nil where there is none of our own
	check  func(*place, []*letter) error
	expect string // for people

	mu   sync.Mutex
	got  []receiver.Received // all that came, also what was answered 503
	came chan struct{}       // has room for the news that something came
}

func (p *place) receive(message receiver.Received) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, message)
	select {
	case p.came <- struct{}{}:
	default:
	}
}

// await waits until so many messages have come.
func (p *place) await(ctx context.Context, n int) error {
	for len(p.received()) < n {
		select {
		case <-p.came:
		case <-ctx.Done():
			return fmt.Errorf("%s: %d of %d messages came: %w", p.name, len(p.received()), n, context.Cause(ctx))
		}
	}
	return nil
}

// take is receive for an agent.
func (p *place) take(message receiver.Received) error {
	p.receive(message)
	return nil
}

// received returns what has come so far.
func (p *place) received() []receiver.Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got
}

// letter is a message of the demo.
type letter struct {
	name  string
	line  []byte
	place *place
	id    transport.ID
	view  agent.MessageView
}

// openPlaces makes the destinations. It returns those that are open, also with an
// error. Amqp is the URL of a broker's node, empty for a broker of our own.
func openPlaces(ctx context.Context, amqp string) ([]*place, error) {
	places := []*place{
		{name: "healthy", check: checkHealthy, expect: "delivered in one attempt each, byte for byte"},
		{name: "flaky", check: checkFlaky, expect: "delivered byte for byte, after two answers of 503"},
		{name: "down", check: checkDown, expect: fmt.Sprintf("dead letters after %d attempts each", demoAttempts)},
		{name: "socket", check: checkSocket, expect: "delivered over one WebSocket, acknowledged by the peer"},
		{name: "broker", url: amqp, check: checkBroker, expect: "accepted by an AMQP broker, and received from it"},
		{name: "mobile", check: checkMobile, expect: "waited for a peer without an address, and picked up in order"},
	}
	for _, p := range places {
		p.came = make(chan struct{}, 1)
	}
	failures := map[string]int{"flaky": demoFailures}
	for _, p := range places[:2] {
		r, err := receiver.New(receiver.Options{FailFirst: failures[p.name], Sink: p.receive})
		if err != nil {
			return places, err
		}
		if p.server, err = r.Listen(ctx, "http://127.0.0.1:0"); err != nil {
			return places, err
		}
		p.url = p.server.URL() + "/inbox"
	}
	address, err := freeAddress(ctx)
	places[2].url = "http://" + address + "/inbox"
	return places, errors.Join(err, openSocket(ctx, places[3]), openBroker(ctx, places[4]), openMobile(ctx, places[5]))
}

// openBroker has an agent receive from the node of a broker.
func openBroker(ctx context.Context, p *place) (err error) {
	if p.url == "" {
		if p.broker, err = amqppeer.Listen(context.WithoutCancel(ctx), "", amqppeer.Options{Queue: true}); err != nil {
			return err
		}
		p.url = "amqp://" + p.broker.Addr() + "/demo"
	}
	endpoint, err := transport.ParseEndpoint(p.url)
	if err != nil {
		return err
	}
	return p.openPeer(ctx, agent.Config{
		AllowPrivate: true, Inbound: agent.InboundConfig{From: []transport.Endpoint{endpoint}, Handler: agent.HandlerPrint},
	})
}

// openSocket has an agent receive over WebSocket.
func openSocket(ctx context.Context, p *place) error {
	err := p.openPeer(ctx, agent.Config{Inbound: agent.InboundConfig{Listen: []string{"ws://127.0.0.1:0"}, Handler: agent.HandlerPrint}})
	if err == nil {
		p.url = p.peer.Inbound().Addresses()[0] + "/inbox"
	}
	return err
}

// openMobile makes a peer that receives nowhere: it is reached only on connections
// that it opens.
func openMobile(ctx context.Context, p *place) error {
	p.url = "pickup:" + inbound.PrefixToken + demoPeer
	return p.openPeer(ctx, agent.Config{AllowPrivate: true})
}

func (p *place) openPeer(ctx context.Context, config agent.Config) (err error) {
	config.Memory, config.API.Listen = true, agent.ListenOff
	if p.peer, err = agent.New(config, agent.Options{Handler: printer(p.take)}); err != nil {
		return err
	}
	return p.peer.Start(context.WithoutCancel(ctx))
}

// freeAddress returns one at which nothing listens.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func closePlaces(ctx context.Context, places []*place) error {
	var servers []*receiver.Server
	var faults []error
	for _, p := range places {
		if p.server != nil {
			servers = append(servers, p.server)
		}
		if p.peer != nil {
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
			_, err := p.peer.Stop(stopping)
			cancel()
			faults = append(faults, err)
		}
		if p.broker != nil {
			p.broker.Close()
		}
	}
	return errors.Join(append(faults, closeAll(ctx, servers))...)
}

// sampleLetters makes a letter of each line, to each place in turn.
func sampleLetters(places []*place) ([]*letter, error) {
	var letters []*letter
	for line := range bytes.Lines(sample) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		var typed struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(line, &typed); err != nil {
			return nil, fmt.Errorf("sample line %d: %w", len(letters)+1, err)
		}
		letters = append(letters, &letter{
			name: strings.TrimPrefix(typed.Type, "https://didcomm.org/"), line: line, place: places[len(letters)%len(places)],
		})
	}
	if len(letters) == 0 {
		return nil, errors.New("the sample is empty")
	}
	return letters, nil
}

// batchOf is the letters as a batch for the API.
func batchOf(letters []*letter) (io.Reader, error) {
	var batch bytes.Buffer
	for _, letter := range letters {
		text := string(letter.line)
		request := agent.SendRequest{Endpoint: letter.place.url, Payload: &text, ContentType: "application/json"}
		if err := writeJSON(&batch, request); err != nil {
			return nil, err
		}
	}
	return &batch, nil
}

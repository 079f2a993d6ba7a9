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
	"github.com/outrider-go/outrider/internal/receiver"
	"github.com/outrider-go/outrider/transport"
)

// sample is what the demo sends: a payload on each line.
//
//go:embed sample.ndjson
var sample []byte

// place is a destination of the demo.
type place struct {
	name   string
	url    string
	server *receiver.Server // nil where nothing listens
	check  func(*place, []*letter) error
	expect string // for people

	mu  sync.Mutex
	got []receiver.Received // all that came, also what was answered 503
}

func (p *place) receive(message receiver.Received) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, message)
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

// openPlaces makes the three destinations. It returns those that are open, also
// with an error.
func openPlaces(ctx context.Context) ([]*place, error) {
	places := []*place{
		{name: "healthy", check: checkHealthy, expect: "delivered in one attempt each, byte for byte"},
		{name: "flaky", check: checkFlaky, expect: "delivered byte for byte, after two answers of 503"},
		{name: "down", check: checkDown, expect: fmt.Sprintf("dead letters after %d attempts each", demoAttempts)},
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
	return places, err
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
	for _, p := range places {
		if p.server != nil {
			servers = append(servers, p.server)
		}
	}
	return closeAll(ctx, servers)
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

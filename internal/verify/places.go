package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-go/outrider/internal/receiver"
)

// agentPrefix begins the User-Agent of a daemon; the number of its life follows.
const agentPrefix = "outrider-verify/"

// idHeader carries the id of a message.
const idHeader = "Message-Id"

// place is a receiver, and how it behaves.
type place struct {
	name   string
	share  int // of all letters, of 100
	answer func(l string, tries int) receiver.Answer
	mayDie bool
	server *receiver.Server
}

// behaviours are the places of a load: most take what they get, one refuses each
// letter up to twice at first, one takes its time, and one refuses all until they are
// given up.
func behaviours() []*place {
	return []*place{
		{name: "fast", share: 60, answer: func(string, int) receiver.Answer { return receiver.Answer{} }},
		{name: "flaky", share: 20, answer: func(l string, tries int) receiver.Answer {
			if tries < int(hash(l)%3) {
				return receiver.Answer{Status: http.StatusServiceUnavailable}
			}
			return receiver.Answer{}
		}},
		{name: "slow", share: 14, answer: func(l string, _ int) receiver.Answer {
			return receiver.Answer{Delay: time.Duration(hash(l)%20) * time.Millisecond}
		}},
		{name: "gone", share: 6, mayDie: true, answer: func(string, int) receiver.Answer {
			return receiver.Answer{Status: http.StatusInternalServerError}
		}},
	}
}

// openPlaces has all places listen on this machine. It returns those that do also
// with an error.
func openPlaces(ctx context.Context, h *History) ([]*place, error) {
	var open []*place
	for _, p := range behaviours() {
		r, err := receiver.New(receiver.Options{Reply: func(got receiver.Received) receiver.Answer { return p.receive(h, got) }})
		if err != nil {
			return open, err
		}
		if p.server, err = r.Listen(ctx, "http://127.0.0.1:0"); err != nil {
			return open, err
		}
		open = append(open, p)
	}
	return open, nil
}

// receive records what has come, and says how to answer it.
func (p *place) receive(h *History, got receiver.Received) receiver.Answer {
	name, intact := ReadPayload(got.Payload)
	answer := p.answer(name, h.Tries(name))
	life, err := strconv.Atoi(strings.TrimPrefix(got.Headers["User-Agent"], agentPrefix))
	h.Receive(Receipt{
		Name: name, ID: got.Headers[idHeader], Life: life,
		OK: answer.Status == 0, Intact: intact && err == nil,
	})
	return answer
}

func closePlaces(ctx context.Context, places []*place) error {
	var faults []error
	for _, p := range places {
		if err := p.server.Close(ctx); err != nil {
			faults = append(faults, fmt.Errorf("receiver %s: %w", p.name, err))
		}
	}
	return errors.Join(faults...)
}

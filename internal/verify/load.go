package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
)

// Defaults of [LoadOptions].
const (
	DefaultSenders = 8
	DefaultMaxOpen = 500
)

const (
	keysPerSender = 3
	maxBatch      = 20                   // letters sent at once
	pause         = 5 * time.Millisecond // before a refused sender goes on
	cleanupWait   = 10 * time.Second     // for receivers to end
	largePayload  = 40 << 10             // of one letter in fifty
	smallPayload  = 1500                 // of the others, at most
)

// LoadOptions of a [Load]. The zero value works.
type LoadOptions struct {
	// Seed makes the letters: the same seed, the same letters.
	Seed uint64
	// Senders is how many send at once. Default: DefaultSenders.
	Senders int
	// MaxOpen is how many accepted letters may have yet to arrive; senders wait while
	// there are more. Default: DefaultMaxOpen.
	MaxOpen int
	// Messages is how many letters are sent at most: a batch that would exceed it is
	// not. Default: as many as can be.
	Messages int
}

// Load sends letters to the daemon behind its door, and receives what the daemon
// delivers. Some letters go in batches, have ordering keys, or are repeated with
// their idempotency key until they are answered; some receivers fail, are slow or
// refuse for good.
type Load struct {
	Door Door

	options LoadOptions
	history *History
	places  []*place
	senders []*sender
	sent    atomic.Int64 // letters
	refused atomic.Int64 // letters
}

// NewLoad returns a load whose receivers listen. [Load.Close] ends them.
func NewLoad(ctx context.Context, history *History, options LoadOptions) (*Load, error) {
	if options.Senders == 0 {
		options.Senders = DefaultSenders
	}
	if options.MaxOpen == 0 {
		options.MaxOpen = DefaultMaxOpen
	}
	l := &Load{options: options, history: history}
	var err error
	if l.places, err = openPlaces(ctx, history); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	for n := range options.Senders {
		random := rand.New(rand.NewPCG(options.Seed, uint64(n))) //nolint:gosec // to be repeated
		l.senders = append(l.senders, &sender{load: l, number: n, random: random})
	}
	return l, nil
}

// Close ends the receivers.
func (l *Load) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupWait)
	defer cancel()
	return closePlaces(ctx, l.places)
}

// Refused returns how many letters the daemon has refused.
func (l *Load) Refused() int { return int(l.refused.Load()) }

// Send sends until ctx ends, or all letters are sent. It may be called again, but
// not twice at once.
func (l *Load) Send(ctx context.Context) {
	var senders sync.WaitGroup
	for _, s := range l.senders {
		senders.Go(func() { s.run(ctx) })
	}
	senders.Wait()
}

// sender sends its letters one call after the other, so that their order is known.
type sender struct {
	load   *Load
	number int
	random *rand.Rand
	count  int // of its letters
}

// parcel is what goes with one call.
type parcel struct {
	letters  []Letter
	requests []agent.SendRequest
	repeat   bool // until it is answered
}

func (s *sender) run(ctx context.Context) {
	for s.load.waitForRoom(ctx) {
		p := s.compose()
		if all := s.load.options.Messages; all > 0 && int(s.load.sent.Add(int64(len(p.letters)))) > all {
			return
		}
		s.load.history.Send(p.letters...)
		s.submit(ctx, p)
	}
}

// waitForRoom returns false when ctx ends.
func (l *Load) waitForRoom(ctx context.Context) bool {
	for l.history.Open() >= l.options.MaxOpen {
		if !wait(ctx, pause) {
			return false
		}
	}
	return ctx.Err() == nil
}

// wait returns false when ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// compose makes the letters of a call.
func (s *sender) compose() parcel {
	n := 1
	if s.random.IntN(4) == 0 {
		n = 2 + s.random.IntN(maxBatch-1)
	}
	p := parcel{repeat: s.random.IntN(2) == 0}
	for range n {
		s.count++
		to, name := s.load.choose(s.random), fmt.Sprintf("%d-%d", s.number, s.count)
		size := s.random.IntN(smallPayload)
		if s.random.IntN(50) == 0 {
			size = largePayload
		}
		l := Letter{Name: name, MayDie: to.mayDie}
		request := agent.SendRequest{Endpoint: to.server.URL() + "/inbox", PayloadBase64: Payload(name, size)}
		if s.random.IntN(2) == 0 {
			request.OrderingKey = fmt.Sprintf("%d-%d", s.number, s.random.IntN(keysPerSender))
			l.Order = to.name + " " + request.OrderingKey
		}
		if l.MayDie {
			request.Retry = "attempts=2,base=10ms"
		}
		if p.repeat {
			request.IdempotencyKey = name
		}
		p.letters, p.requests = append(p.letters, l), append(p.requests, request)
	}
	return p
}

func (l *Load) choose(random *rand.Rand) *place {
	at := random.IntN(100)
	for _, p := range l.places {
		if at -= p.share; at < 0 {
			return p
		}
	}
	return l.places[0]
}

// submit makes the call, and again while nobody knows what came of it, if that is
// the parcel's way.
func (s *sender) submit(ctx context.Context, p parcel) {
	for {
		daemon, err := s.load.Door.Wait(ctx)
		if err != nil {
			return
		}
		accepted, err := p.send(ctx, daemon)
		if err == nil {
			for i, response := range accepted {
				s.load.history.Accept(p.letters[i].Name, response.ID.String())
			}
			return
		}
		refused, answered := errors.AsType[*client.Error](err)
		if !wait(ctx, pause) {
			return
		}
		if answered && refused.Status != http.StatusInternalServerError {
			s.load.refused.Add(int64(len(p.letters)))
			return
		}
		if !p.repeat {
			return
		}
	}
}

func (p *parcel) send(ctx context.Context, daemon *client.Client) ([]agent.SendResponse, error) {
	if len(p.requests) == 1 {
		one, err := daemon.Send(ctx, p.requests[0])
		return []agent.SendResponse{one}, err
	}
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for i := range p.requests {
		if err := encoder.Encode(p.requests[i]); err != nil {
			return nil, err
		}
	}
	accepted, err := daemon.SendBatch(ctx, &lines)
	if err == nil && len(accepted) != len(p.requests) {
		err = fmt.Errorf("sent %d messages, and %d were answered", len(p.requests), len(accepted))
	}
	return accepted, err
}

package outbound_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// TestEverythingAtOnce does all there is to do to managers that follow each other
// over one store, and then counts: each message has ended, was told of once per
// life, and was never delivered twice.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(stressSeeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := newStress(t, seed)
			for range 2 {
				s.round(200 * time.Millisecond)
			}
			s.calm.Store(true)
			s.last()
			s.check()
		})
	}
}

// stressSeeds is how many runs there are, each of about half a second.
const stressSeeds = 4

type stress struct {
	t      *testing.T
	store  *memqueue.Store
	bus    *event.Bus
	events *event.Subscription
	calm   atomic.Bool // every attempt succeeds

	mu        sync.Mutex
	rand      *rand.Rand
	accepted  []transport.ID
	delivered map[transport.ID]int // attempts that succeeded
}

func newStress(t *testing.T, seed uint64) *stress {
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bus := event.New(event.Options{})
	events, err := bus.Subscribe("outbound-message::.*", event.SubscribeOptions{Buffer: event.MaxBuffer})
	if err != nil {
		t.Fatal(err)
	}
	return &stress{t: t, store: store, bus: bus, events: events, rand: rand.New(rand.NewPCG(seed, 1)), delivered: map[transport.ID]int{}}
}

func (s *stress) intn(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rand.IntN(n)
}

func (s *stress) handle(ctx context.Context, m *outbound.Message) error {
	luck := s.intn(100)
	if s.calm.Load() {
		luck = 99
	}
	switch {
	case luck < 4:
		<-ctx.Done()
		return ctx.Err()
	case luck < 14:
		return fail(transport.Temporary)
	case luck < 22:
		return fail(transport.Permanent)
	case luck < 24:
		err := fail(transport.Temporary)
		err.RetryAfter = 3 * time.Millisecond
		return err
	case luck < 25:
		panic("a transport's")
	case luck < 50:
		pass(time.Duration(luck) * 20 * time.Microsecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered[m.ID]++
	return nil
}

func (s *stress) lane() queue.Lane {
	return queue.Lane{Profile: "default", Destination: fmt.Sprintf("test://h%d/x", s.intn(5))}
}

func (s *stress) start(ctx context.Context) *outbound.Manager {
	m, err := outbound.New(s.store, outbound.Options{
		Events: s.bus, Workers: 1 + s.intn(6), LaneConcurrency: 1 + s.intn(4), AttemptTimeout: 8 * time.Millisecond,
		Retry:    outbound.RetryPolicy{Base: time.Millisecond, Max: 4 * time.Millisecond, Factor: 2, MaxAttempts: 4},
		Breaker:  outbound.Breaker{Failures: 1 + s.intn(4), CoolOff: time.Millisecond, MaxCoolOff: 4 * time.Millisecond},
		LaneRate: outbound.Rate{PerSecond: 20_000, Burst: s.intn(20)},
		Retain:   map[queue.Result]outbound.Retain{queue.Delivered: {}}, // all: they are counted at the end
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := m.Register(&driver{handle: s.handle}); err != nil {
		s.t.Fatal(err)
	}
	if err := m.Start(ctx); err != nil {
		s.t.Fatal(err)
	}
	return m
}

// round works with one manager for some time, and stops it in the midst.
func (s *stress) round(d time.Duration) {
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	m := s.start(ctx)
	var users sync.WaitGroup
	end := time.Now().Add(d)
	for range 4 {
		users.Go(func() {
			for time.Now().Before(end) {
				s.act(m)
			}
		})
	}
	if s.intn(2) == 0 { // stop under load
		pass(d / 2)
	} else {
		users.Wait()
	}
	if s.intn(2) == 0 {
		cancel()
	}
	left, err := m.Stop(s.t.Context())
	if err != nil || left.InFlight != 0 {
		s.t.Errorf("Stop: %+v, %v", left, err)
	}
	users.Wait()
	left, _ = m.Stop(s.t.Context())
	if totals, err := s.store.Stats(s.t.Context(), queue.ByTotal); err != nil || totals[0].Deliver != 0 ||
		totals[0].Waiting() != left.Messages || totals[0].Bytes != left.Bytes {
		s.t.Errorf("after Stop the store has %+v, %v; the manager says %+v", totals, err, left)
	}
}

// act does one thing of what users do. Errors are a stopped manager's.
func (s *stress) act(m *outbound.Manager) {
	ctx := s.t.Context()
	switch luck := s.intn(200); {
	case luck < 1:
		_, _ = m.Cancel(ctx, queue.Query{Destination: s.lane().Destination, Descending: true, Limit: 20})
	case luck < 3:
		_, _ = m.Replay(ctx, queue.Query{Limit: 50})
	case luck < 5:
		_ = m.PauseDestination(ctx, s.lane(), time.Now().Add(time.Duration(1+s.intn(20))*time.Millisecond), "")
	case luck < 7:
		_ = m.ResumeDestination(ctx, s.lane())
	case luck < 9:
		_, _ = m.TestDestination(ctx, s.lane())
	case luck < 20:
		pass(time.Duration(s.intn(2000)) * time.Microsecond)
	default:
		message := outbound.Message{Endpoint: endpoint(s.t, s.lane().Destination), Payload: []byte("hello")}
		if luck < 50 {
			message.NotBefore = time.Now().Add(time.Duration(s.intn(5)) * time.Millisecond)
		}
		if luck%8 == 0 {
			message.ExpiresAt = time.Now().Add(time.Duration(6+s.intn(20)) * time.Millisecond)
		}
		s.mark(&message, luck)
		if accepted, err := m.Send(ctx, message); err == nil {
			s.mu.Lock()
			s.accepted = append(s.accepted, accepted.ID)
			s.mu.Unlock()
		}
	}
}

// mark gives some messages a priority, an ordering key, or another place to go to.
func (s *stress) mark(message *outbound.Message, luck int) {
	message.Priority = queue.Priority(luck%3 - 1)
	if luck%4 == 0 {
		message.OrderingKey = fmt.Sprint("key", s.intn(3))
		if luck%3 == 0 {
			message.OnBlocked = outbound.BlockedSkip
		}
	}
	if other := endpoint(s.t, s.lane().Destination+"/y"); luck%5 == 0 {
		message.Alternates = append(message.Alternates, other)
	}
}

// last has a manager deliver all that is left.
func (s *stress) last() {
	m := s.start(s.t.Context())
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	if err := m.Flush(ctx); err != nil {
		totals, _ := s.store.Stats(s.t.Context(), queue.ByTotal)
		s.t.Errorf("Flush: %v; the store has %+v", err, totals)
	}
	if left, err := m.Stop(ctx); err != nil || left != (outbound.Left{}) {
		s.t.Errorf("Stop: %+v, %v", left, err)
	}
}

// check counts what was told against what the store has.
func (s *stress) check() {
	s.events.Close()
	told := map[transport.ID]map[string]int{}
	for e := range s.events.Events() {
		m := e.Payload.(outbound.MessageEvent)
		if told[m.ID] == nil {
			told[m.ID] = map[string]int{}
		}
		switch told[m.ID][e.Topic]++; e.Topic {
		case outbound.TopicDelivered, outbound.TopicDead, outbound.TopicExpired, outbound.TopicCancelled:
			told[m.ID]["end"]++
		}
	}
	ends := map[queue.Result]int{}
	for _, id := range s.accepted {
		records, err := s.store.Get(s.t.Context(), []transport.ID{id}, false)
		if err != nil || len(records) != 1 {
			s.t.Fatalf("%s: %v, %v", id, records, err)
		}
		r, once := records[0], 0
		if ends[r.Result]++; r.Result == queue.Delivered {
			once = 1
		}
		if r.State != queue.StateDone || s.delivered[id] != once || told[id]["end"] != 1+r.Replays ||
			told[id][outbound.StatusQueuedForDelivery.Topic()] != 1+r.Replays {
			s.t.Errorf("%s: %s %s after %d replays, delivered %d times, told %v", id, r.State, r.Result, r.Replays, s.delivered[id], told[id])
		}
	}
	s.t.Logf("%d messages: %v", len(s.accepted), ends)
}

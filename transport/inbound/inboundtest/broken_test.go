package inboundtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

// nameless has no address, careless may be started twice, hasty does not wait in
// Stop, and blank counts nothing.
type (
	nameless struct{ Memory }
	careless struct{ Memory }
	hasty    struct{ Memory }
	blank    struct{ Memory }
)

func (*nameless) Address() string { return "" }

func (t *careless) Start(ctx context.Context, host inbound.Host) error {
	if host == nil {
		return nil
	}
	return t.Memory.Start(ctx, host)
}

func (t *hasty) Stop(context.Context) error {
	go t.Memory.Stop(context.Background()) // that is what is wrong with it
	return nil
}

func (*blank) Collector() *stats.Collector { return stats.New() }

// TestBrokenTransports: each case sees what is wrong.
func TestBrokenTransports(t *testing.T) {
	t.Parallel()
	peers := func(change func(*memoryPeer)) func() Harness {
		return func() Harness { return memoryHarness(&Memory{Acknowledge: true}, change) }
	}
	transports := func(t inbound.Transport, m *Memory) func() Harness {
		return func() Harness {
			h := memoryHarness(m, nil)
			h.Transport = t
			return h
		}
	}
	n, c, y, b := &nameless{}, &careless{}, &hasty{}, &blank{}
	tests := []struct {
		what, seen string
		harness    func() Harness
	}{
		{"starts twice", "start and stop", transports(c, &c.Memory)},
		{"has no address", "describes itself", transports(n, &n.Memory)},
		{"does not wait in Stop", "stop lets handlers end", transports(y, &y.Memory)},
		{"counts nothing", "collector", transports(b, &b.Memory)},
		{"hands over twice", "payloads", peers(func(p *memoryPeer) { p.times = 1 })},
		{"cuts messages short", "payloads", peers(func(p *memoryPeer) {
			p.garble = func(f *wireformat.Frame) { f.Body = f.Body[:len(f.Body)/2] }
		})},
		{"forgets the content type", "payloads", peers(func(p *memoryPeer) {
			p.garble = func(f *wireformat.Frame) { f.ContentType = "application/octet-stream" }
		})},
		{"forgets metadata", "metadata", peers(func(p *memoryPeer) { p.garble = func(f *wireformat.Frame) { f.Header = nil } })},
		{"forgets the id", "ID", peers(func(p *memoryPeer) { p.garble = func(f *wireformat.Frame) { f.Header = nil } })},
		{"tells before it is handled", "refusals", peers(func(p *memoryPeer) { p.hasten = true })},
		{"takes a lasting refusal for a passing one", "refusals", peers(func(p *memoryPeer) {
			p.tell = func(error) Answer { return Answer{Refusal: inbound.Failed} }
		})},
		{"tells of the inside", "nothing of the inside", peers(func(p *memoryPeer) {
			p.tell = func(err error) Answer { return Answer{Refusal: inbound.RefusalOf(err), Text: err.Error()} }
		})},
		{"garbles replies", "reply", peers(func(p *memoryPeer) {
			p.receive = func(m *Message) { m.Payload = slices.Concat(m.Payload, []byte("x")) }
		})},
		{"forgets a reply's id", "deliver", peers(func(p *memoryPeer) { p.receive = func(m *Message) { m.ID = transport.ID{} } })},
		{"promises too much", "deliver", func() Harness { return memoryHarness(&Memory{}, nil) }},
		{"does not see that a peer has gone", "peer has gone", peers(func(p *memoryPeer) { p.remains = true })},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			features := memoryFeatures
			features.Patience = 300 * time.Millisecond
			i := slices.IndexFunc(cases[:], func(c testCase) bool { return c.name == test.seen })
			if i < 0 {
				t.Fatalf("there is no case %q", test.seen)
			}
			missing, err := cases[i].check(context.WithoutCancel(t.Context()), test.harness, features)
			if err == nil {
				t.Errorf("the case %q sees nothing wrong (missing: %q)", test.seen, missing)
			}
			t.Log(err)
		})
	}
}

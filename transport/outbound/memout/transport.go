package memout

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// Delivery is a message that arrived. Its payload and metadata are not to be
// changed.
type Delivery struct {
	ID          transport.ID
	Attempt     int
	Endpoint    transport.Endpoint
	ContentType string
	Text        bool
	Payload     []byte
	Metadata    transport.Metadata
}

// Transport delivers to mailboxes. Make it with [New].
type Transport struct {
	outbound.Base
	options   Options
	delivered *stats.Metric
	life      transport.Lifecycle
	attempts  attempts

	mu     sync.Mutex
	byHost map[string]chan Delivery
	others chan Delivery
}

// New returns a transport that is not started. The error names each option that
// is wrong.
func New(options Options) (*Transport, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Transport{options: options, byHost: map[string]chan Delivery{}}
	t.others = t.newMailbox()
	t.Format = options.WireFormat
	t.delivered = t.Collector().Metric("outbound-mem:deliver")
	return t, nil
}

// Schemes implements [outbound.Transport].
func (t *Transport) Schemes() []string { return slices.Clone(t.options.Schemes) }

// Start makes the transport ready. Cancelling ctx later ends the attempts under
// way. On one that is running it returns [transport.ErrStarted].
func (t *Transport) Start(ctx context.Context) error {
	return t.life.StartWith(func() error {
		t.attempts.open(ctx)
		return nil
	})
}

// Stop refuses new attempts and waits for those under way; ctx bounds the wait.
// What is in the mailboxes stays there.
func (t *Transport) Stop(ctx context.Context) error {
	return t.life.StopWith(func() error { return t.attempts.close(ctx) })
}

// Deliveries is the mailbox of all hosts that have none of their own. It is
// never closed.
func (t *Transport) Deliveries() <-chan Delivery { return t.others }

// Mailbox is the mailbox of one host, in lower case: what is delivered to the
// host from now on comes here and not to Deliveries. It is never closed.
func (t *Transport) Mailbox(host string) <-chan Delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byHost[host] == nil {
		t.byHost[host] = t.newMailbox()
	}
	return t.byHost[host]
}

func (t *Transport) newMailbox() chan Delivery {
	return make(chan Delivery, max(t.options.Capacity, 0))
}

// HandleMessage asks Respond, and puts what it takes into a mailbox.
func (t *Transport) HandleMessage(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	ctx, end, err := t.attempts.begin(ctx)
	if err != nil {
		return outbound.Receipt{}, notSent("start", m, transport.Temporary, err)
	}
	defer end()
	begun := time.Now()
	receipt, err := t.deliver(ctx, m)
	if err != nil {
		t.Collector().CountError(string(classOf(err)))
		return outbound.Receipt{}, err
	}
	t.delivered.Observe(time.Since(begun))
	t.Collector().AddBytes(int64(len(m.Payload)), int64(len(receipt.Response)))
	return receipt, nil
}

func (t *Transport) deliver(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	if !slices.Contains(t.options.Schemes, m.Endpoint.Scheme()) {
		return outbound.Receipt{}, notSent("route", m, transport.Permanent, errScheme)
	}
	if ctx.Err() != nil {
		return outbound.Receipt{}, notSent("deliver", m, transport.Temporary, context.Cause(ctx))
	}
	receipt, err := t.options.Respond(ctx, m)
	if err != nil {
		return outbound.Receipt{}, answered(m, err)
	}
	if err := t.put(ctx, m); err != nil {
		return outbound.Receipt{}, notSent("deliver", m, transport.Temporary, err)
	}
	if receipt.Evidence == transport.None {
		receipt.Evidence = transport.Acknowledged
	}
	return receipt, nil
}

// put waits for room in the mailbox.
func (t *Transport) put(ctx context.Context, m *outbound.Message) error {
	if t.options.Capacity < 0 {
		return nil
	}
	delivery := Delivery{
		ID: m.ID, Attempt: m.Attempt, Endpoint: m.Endpoint, ContentType: m.ContentType,
		Text: m.Text, Payload: m.Payload, Metadata: m.Metadata,
	}
	select {
	case t.mailbox(m.Endpoint.Host()) <- delivery:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *Transport) mailbox(host string) chan<- Delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own := t.byHost[host]; own != nil {
		return own
	}
	return t.others
}

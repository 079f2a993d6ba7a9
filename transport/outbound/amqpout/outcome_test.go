package amqpout

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/outbound"
)

// TestClasses: what each outcome and each error means for the message.
func TestClasses(t *testing.T) {
	t.Parallel()
	rejected := func(c amqp1.Condition) amqp1.Outcome { return amqp1.Outcome{State: amqp1.Rejected, Condition: c} }
	for name, c := range map[string]struct {
		outcome amqp1.Outcome
		class   transport.Class
		code    string
	}{
		"rejected":                        {rejected(""), transport.Permanent, "rejected"},
		"rejected as too long":            {rejected(amqp1.MessageSizeExceeded), transport.Permanent, "amqp:link:message-size-exceeded"},
		"rejected with an odd condition":  {rejected("se cret"), transport.Permanent, "rejected"},
		"rejected since it is full":       {rejected(amqp1.ResourceLimitExceeded), transport.Temporary, "amqp:resource-limit-exceeded"},
		"rejected by a fault of the peer": {rejected(amqp1.InternalError), transport.Temporary, "amqp:internal-error"},
		"rejected by a busy peer":         {rejected("com.microsoft:server-busy"), transport.Temporary, "com.microsoft:server-busy"},
		"released":                        {amqp1.Outcome{State: amqp1.Released}, transport.Temporary, "released"},
		"modified":                        {amqp1.Outcome{State: amqp1.Modified}, transport.Temporary, "modified"},
		"modified, failed":                {amqp1.Outcome{State: amqp1.Modified, DeliveryFailed: true}, transport.Temporary, "modified"},
		"modified, undeliverable here":    {amqp1.Outcome{State: amqp1.Modified, UndeliverableHere: true}, transport.Permanent, "modified"},
		"received":                        {amqp1.Outcome{State: amqp1.Received}, transport.Unknown, "received"},
		"unstated":                        {amqp1.Outcome{State: amqp1.Unstated}, transport.Unknown, "unstated"},
	} {
		tr := newTestTransport(t)
		_, fault := tr.conclude(new(route), newTestMessage(t), c.outcome)
		if fault == nil || fault.Class != c.class || fault.Code != c.code || !fault.MaybeSent {
			t.Errorf("%s: %+v, want %s with code %s", name, fault, c.class, c.code)
		}
	}
	for name, c := range map[string]struct {
		err   *amqp1.Error
		class transport.Class
		code  string
	}{
		"lost in flight":         {&amqp1.Error{Kind: amqp1.ErrLost, MaybeSent: true}, transport.Unknown, "lost"},
		"forced in flight":       {&amqp1.Error{Kind: amqp1.ErrLost, MaybeSent: true, Condition: amqp1.ConnectionForced}, transport.Unknown, "amqp:connection:forced"},
		"lost before":            {&amqp1.Error{Kind: amqp1.ErrLost}, transport.Temporary, "lost"},
		"stalled":                {&amqp1.Error{Kind: amqp1.ErrStalled}, transport.Temporary, "stalled"},
		"timeout in flight":      {&amqp1.Error{Kind: amqp1.ErrStalled, MaybeSent: true, Err: context.DeadlineExceeded}, transport.Unknown, "timeout"},
		"cancelled before":       {&amqp1.Error{Kind: amqp1.ErrStalled, Err: context.Canceled}, transport.Temporary, "canceled"},
		"no credit":              {&amqp1.Error{Kind: amqp1.ErrNoCredit}, transport.Throttled, "no_credit"},
		"message":                {&amqp1.Error{Kind: amqp1.ErrMessage, Condition: amqp1.MessageSizeExceeded}, transport.Permanent, "amqp:link:message-size-exceeded"},
		"poison":                 {&amqp1.Error{Kind: amqp1.ErrPeerFault}, transport.Permanent, "peer_fault"},
		"not found":              {&amqp1.Error{Kind: amqp1.ErrRefused, Condition: amqp1.NotFound}, transport.Temporary, "amqp:not-found"},
		"refused for now":        {&amqp1.Error{Kind: amqp1.ErrRefused, Condition: amqp1.InternalError}, transport.Temporary, "amqp:internal-error"},
		"stopped":                {&amqp1.Error{Kind: amqp1.ErrClosed}, transport.Temporary, "stopped"},
		"foreign":                {&amqp1.Error{Kind: amqp1.ErrProtocol}, transport.Temporary, "protocol"},
		"unreachable for a time": {&amqp1.Error{Kind: amqp1.ErrBackoff}, transport.Temporary, "dial_failed"},
	} {
		tr := newTestTransport(t)
		fault := tr.sendFault(new(route), newTestMessage(t), c.err, time.Now())
		if fault.Class != c.class || fault.Code != c.code || fault.MaybeSent != c.err.MaybeSent || (fault.Class == transport.Throttled) != (fault.RetryAfter > 0) {
			t.Errorf("%s: %+v, want %s with code %s", name, fault, c.class, c.code)
		}
	}
}

// TestGrace: a refusal that will not pass by itself is temporary at first, and
// permanent for a message that has waited.
func TestGrace(t *testing.T) {
	t.Parallel()
	tr, m := newTestTransport(t), newTestMessage(t)
	refusals := []error{
		&amqp1.Error{Kind: amqp1.ErrRefused, Condition: amqp1.NotFound},
		&amqp1.Error{Kind: amqp1.ErrSASL, Err: &amqp1.SASLError{Code: amqp1.SASLAuth}},
		&amqp1.Error{Kind: amqp1.ErrProtocol},
	}
	for _, err := range refusals {
		for after, want := range map[time.Duration]transport.Class{0: transport.Temporary, 59 * time.Minute: transport.Temporary, 61 * time.Minute: transport.Permanent} {
			if fault := tr.sendFault(new(route), m, err, m.QueuedAt.Add(after)); fault.Class != want {
				t.Errorf("%v after %v: %s", err, after, fault.Class)
			}
		}
	}
	passing := &amqp1.Error{Kind: amqp1.ErrSASL, Err: &amqp1.SASLError{Code: amqp1.SASLSysTemp}}
	if fault := tr.sendFault(new(route), m, passing, m.QueuedAt.Add(100*time.Hour)); fault.Class != transport.Temporary {
		t.Errorf("%v: %s", passing, fault.Class)
	}
}

// TestUnroutable: RabbitMQ 4 releases what has no queue, for ever.
func TestUnroutable(t *testing.T) {
	t.Parallel()
	tr, m := newTestTransport(t), newTestMessage(t)
	for i := range 10 {
		_, fault := tr.conclude(new(route), m, amqp1.Outcome{State: amqp1.Released})
		if last := i == 9; (fault.Class == transport.Permanent) != last || (fault.Code == "unroutable") != last {
			t.Errorf("release %d: %s %s", i+1, fault.Class, fault.Code)
		}
	}
	if _, fault := tr.conclude(new(route), m, amqp1.Outcome{State: amqp1.Accepted}); fault != nil {
		t.Error(fault)
	}
	if _, fault := tr.conclude(new(route), m, amqp1.Outcome{State: amqp1.Released}); fault.Class != transport.Temporary {
		t.Error("an accepted message leaves its releases behind")
	}
}

// TestModifiedAnnotations: what a peer asks for is in the next attempt.
func TestModifiedAnnotations(t *testing.T) {
	t.Parallel()
	tr, m := newTestTransport(t), newTestMessage(t)
	_, _ = tr.conclude(new(route), m, amqp1.Outcome{State: amqp1.Modified, Annotations: notes("x-opt-a", "1", "x-opt-b", "1")})
	_, _ = tr.conclude(new(route), m, amqp1.Outcome{State: amqp1.Modified, Annotations: notes("x-opt-b", "2")})
	r := &route{template: template{annotations: map[string]string{"x-opt-a": "0", "x-opt-c": "0"}}}
	filled, wrong := r.fill(m)
	if wrong != nil {
		t.Fatal(wrong)
	}
	e := encoder{}
	if err := annotations(&e, sectionMessageAnnotations, filled.annotations, tr.history.annotations(m.ID)); err != nil {
		t.Fatal(err)
	}
	got, err := message.Decode(e.b, value.Limits{})
	if err != nil || !value.Equal(got.MessageAnnotations, notes("x-opt-b", "2", "x-opt-a", "1", "x-opt-c", "0")) {
		t.Errorf("annotations: %v, %v", got, err)
	}
	if r.template.annotations["x-opt-a"] != "0" {
		t.Error("the route's own annotations have changed")
	}
}

// notes are annotations that are text.
func notes(namesAndTexts ...string) (all value.Map) {
	for i := 0; i < len(namesAndTexts); i += 2 {
		all = append(all, value.Pair{Key: value.Symbol(namesAndTexts[i]), Value: value.String(namesAndTexts[i+1])})
	}
	return all
}

// TestHistoryIsBounded: messages that nobody hears of again do not stay for ever.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	var h history
	for range mostRemembered + 100 {
		h.note(transport.NewID(time.Now()), amqp1.Outcome{State: amqp1.Released})
	}
	if len(h.of) != mostRemembered || len(h.order) != mostRemembered {
		t.Errorf("%d messages are remembered", len(h.of))
	}
}

// TestDescription: the peer's words are kept without what it was sent.
func TestDescription(t *testing.T) {
	t.Parallel()
	tr, m := newTestTransport(t), newTestMessage(t)
	m.Metadata = transport.Metadata{"token": "abc"}
	r := &route{remote: amqp1.Remote{Credentials: amqp1.Credentials{Password: transport.NewSecret("geheim")}}}
	_, fault := tr.conclude(r, m, amqp1.Outcome{State: amqp1.Rejected, Description: "no abc for geheim"})
	if got := string(fault.Response); got != "no *** for ***" {
		t.Errorf("response %q", got)
	}
}

func newTestTransport(t testing.TB) *Transport {
	t.Helper()
	tr, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func newTestMessage(t testing.TB) *outbound.Message {
	t.Helper()
	now := time.Now()
	return &outbound.Message{
		Endpoint: endpoint(t, "amqp://h/q"), Payload: []byte("x"), Profile: profile.Default(),
		ID: transport.NewID(now), Attempt: 1, QueuedAt: now,
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"credit pause": {CreditPause: -1},
		"idle timeout": {AMQP: amqp1.Options{IdleTimeout: -1}},
		"frame size":   {AMQP: amqp1.Options{MaxFrameSize: 100}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	tr := newTestTransport(t)
	m := newTestMessage(t)
	m.Endpoint = endpoint(t, "amqp://example.com/q?settled=true")
	m.MinEvidence = transport.Accepted
	fault, ok := errors.AsType[*outbound.FieldError](tr.CheckMessage(t.Context(), m))
	if !ok || fault.Field != "min_evidence" {
		t.Errorf("settled with evidence: %v", fault)
	}
}

package agent

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestSendFieldsAreShown(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	id := b.send(SendRequest{
		Endpoint: "http://127.0.0.1:9/a?k=1#key", Payload: new("x"), NotBefore: later(),
		Alternates: []string{"http://127.0.0.1:9/b?k=2#key", "http://127.0.0.1:9/c"},
		Priority:   "high", OrderingKey: "order-1", OnBlocked: "skip", MinEvidence: "acknowledged",
	})
	m := b.message(id, "")
	if m.Endpoint != "http://127.0.0.1:9/a?k=***" || !slices.Equal(m.Alternates, []string{"http://127.0.0.1:9/b?k=***", "http://127.0.0.1:9/c"}) ||
		m.Priority != queue.PriorityHigh || m.OrderingKey != "order-1" || m.MinEvidence != transport.Acknowledged {
		t.Errorf("message is %+v", m)
	}
	plain := b.send(SendRequest{Endpoint: "http://127.0.0.1:9/a", Payload: new("x"), NotBefore: later(), Priority: "normal", OnBlocked: "wait", OrderingKey: "k"})
	if m := b.message(plain, ""); m.Alternates != nil || m.Priority != queue.PriorityNormal || m.OnBlocked != "" || m.MinEvidence != transport.None {
		t.Errorf("message is %+v", m)
	}
}

func TestViewOfTargets(t *testing.T) {
	t.Parallel()
	r := queue.Record{Message: queue.Message{
		Targets: []queue.Target{{Endpoint: "a"}, {Endpoint: "b"}, {Endpoint: "c"}}, Target: 1, Endpoint: "b", SkipBlocked: true,
	}}
	if view := viewOf(&r, outbound.Wait{}); !slices.Equal(view.Alternates, []string{"a", "c"}) || view.OnBlocked != outbound.BlockedSkip {
		t.Errorf("view is %+v", view)
	}
	attempts := []queue.Attempt{{N: 1, Target: 2}, {N: 2, Target: 0}, {N: 3, Target: 7}}
	var went []string
	for _, a := range attemptsOf(&r, attempts) {
		went = append(went, a.Endpoint)
	}
	if !slices.Equal(went, []string{"c", "a", ""}) {
		t.Errorf("attempts went to %q", went)
	}
	if view := attemptsOf(&queue.Record{}, attempts[1:2]); view[0].Endpoint != "" {
		t.Errorf("without targets: %+v", view)
	}
}

func TestFailsOver(t *testing.T) {
	t.Parallel()
	gone, up := receiver(t, http.StatusGone), receiver(t, http.StatusOK)
	b := start(t, nil)
	id := b.send(SendRequest{Endpoint: gone + "/", Payload: new("x"), Alternates: []string{up + "/"}})
	b.await(outbound.TopicFailedOver, id)
	b.await(outbound.TopicDelivered, id)
	if m := b.message(id, ""); m.Endpoint != up+"/" || !slices.Equal(m.Alternates, []string{gone + "/"}) || m.AttemptsMade != 2 {
		t.Errorf("message is %+v", m)
	}
}

// TestIdempotencyKeyOfAnotherMessage: the key alone tells; what else is in the
// second request does not count.
func TestIdempotencyKeyOfAnotherMessage(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	first := SendRequest{Endpoint: "http://127.0.0.1:9/a", Payload: new("x"), NotBefore: later(), IdempotencyKey: "k"}
	id := b.send(first)
	other := b.want(b.do("POST", "/v1/messages", `{"endpoint":"http://127.0.0.1:9/b","payload":"y","idempotency_key":"k"}`), http.StatusAccepted)
	if answer := into[SendResponse](t, other); answer.ID != id || !answer.Duplicate {
		t.Errorf("answer is %+v, want the first's id %s", answer, id)
	}
	b.wantKept(1)
}

// TestIdempotencyLifetime: a key that has had its time is new.
func TestIdempotencyLifetime(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *Config) { c.IdempotencyLifetime = time.Nanosecond })
	request := SendRequest{Endpoint: "http://127.0.0.1:9/a", Payload: new("x"), NotBefore: later(), IdempotencyKey: "k"}
	if first, second := b.send(request), b.send(request); first == second {
		t.Errorf("the second message is a duplicate of %s", first)
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits profile.Limits
		after  string
	}{
		"messages": {profile.Limits{MaxMessages: 1}, "1"},
		"rate":     {profile.Limits{MaxRate: 0.001}, "1000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, func(c *Config) { c.Profiles = map[string]profile.Options{"default": {Limits: test.limits}} })
			body := `{"endpoint":"http://127.0.0.1:9/","payload":"x","not_before":"2999-01-01T00:00:00Z"}`
			b.want(b.do("POST", "/v1/messages", body), http.StatusAccepted)
			refused := b.do("POST", "/v1/messages", body)
			if p := b.wantProblem(refused, http.StatusTooManyRequests, ""); p.Type != "/problems/quota-exceeded" {
				t.Errorf("problem is %+v", p)
			}
			if after := refused.header.Get("Retry-After"); after != test.after {
				t.Errorf("Retry-After is %q, want %q", after, test.after)
			}
			batch := b.do("POST", "/v1/messages", body+"\n"+body, "Content-Type", typeNDJSON)
			b.wantProblem(batch, http.StatusRequestEntityTooLarge, "")
			if after := batch.header.Get("Retry-After"); after != "" {
				t.Errorf("a batch that never fits is to be tried again in %s s", after)
			}
		})
	}
}

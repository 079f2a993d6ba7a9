package agent

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/outbound"
)

// TestDeliverOverAMQP: a message that a broker accepted is told to be in its queue, and
// one that it rejected is dead.
func TestDeliverOverAMQP(t *testing.T) {
	t.Parallel()
	p, err := amqppeer.Listen(t.Context(), "", amqppeer.Options{Users: map[string]string{"alice": "geheim"}, Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		if d.Address == "closed" {
			amqppeer.Reject(c, d, "amqp:not-allowed", "never for geheim")
			return
		}
		amqppeer.Accept(c, d)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	b := start(t, nil)
	connected, err := b.agent.Events().Subscribe(outbound.TopicConnected, event.SubscribeOptions{Buffer: 10})
	if err != nil {
		t.Fatal(err)
	}
	at := "amqp://alice:geheim@" + p.Addr() + "/"
	accepted := b.send(SendRequest{Endpoint: at + "open", Payload: new("x")})
	b.await(outbound.StatusSentToExternalQueue.Topic(), accepted)
	told := <-connected.Events()
	if e, ok := told.Payload.(outbound.ConnectionEvent); !ok || e.Transport != "amqp" || e.Endpoint != "amqp://"+p.Addr() || e.Profile != "default" {
		t.Errorf("event %+v", told)
	}
	rejected := b.send(SendRequest{Endpoint: at + "closed", Payload: new("x")})
	b.await(outbound.TopicDead, rejected)
	view := into[MessageView](t, b.want(b.do("GET", "/v1/messages/"+rejected.String(), ""), http.StatusOK))
	if view.Result != queue.Dead || len(view.Attempts) != 1 || view.Attempts[0].Code != "amqp:not-allowed" {
		t.Errorf("the rejected message: %+v", view)
	}
	for _, entry := range b.logs.All() {
		if strings.Contains(entry.Message+fmt.Sprint(entry.ContextMap()), "geheim") {
			t.Errorf("the log holds a secret: %v", entry)
		}
	}
	if strings.Contains(view.Attempts[0].Response+view.LastError, "geheim") {
		t.Errorf("what is kept holds a secret: %+v", view)
	}
}

// TestRouteOverAMQP: a profile sends everything to its queue, which learns where each
// message was to go. What the queue's broker changed is in the next attempt.
func TestRouteOverAMQP(t *testing.T) {
	t.Parallel()
	arrived := make(chan *message.Message, 2)
	attempts := 0 // deliveries come one after the other
	p, err := amqppeer.Listen(t.Context(), "", amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		m, err := message.Decode(d.Encoded, value.Limits{})
		if err != nil {
			t.Errorf("what arrived: %v", err)
			m = &message.Message{}
		}
		arrived <- m
		if attempts++; attempts == 1 {
			amqppeer.Modify(c, d, true, false, amqppeer.Map{amqppeer.Symbol("x-opt-seen"), "once"})
			return
		}
		amqppeer.Accept(c, d)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	route, err := transport.ParseEndpoint("amqp://" + p.Addr() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, func(c *Config) { c.Profiles = map[string]profile.Options{profile.DefaultID: {Route: route}} })
	id := b.send(SendRequest{Endpoint: "https://inbox.example/a", Payload: new("x"), Retry: "attempts=3,base=1ms"})
	b.await(outbound.StatusSentToExternalQueue.Topic(), id)
	first, second := <-arrived, <-arrived
	if got, _ := second.ApplicationProperties.Get(value.String(outbound.MetadataEndpoint)); got != value.String("https://inbox.example/a") {
		t.Errorf("it was to go to %v", got)
	}
	if len(first.MessageAnnotations) != 0 || first.Properties.MessageID != second.Properties.MessageID {
		t.Errorf("annotations %v of the first attempt, ids %v and %v", first.MessageAnnotations, first.Properties.MessageID, second.Properties.MessageID)
	}
	if got, _ := second.MessageAnnotations.Get(value.Symbol("x-opt-seen")); got != value.String("once") {
		t.Errorf("annotations of the second attempt: %v", second.MessageAnnotations)
	}
	if second.Header == nil || second.Header.DeliveryCount != 1 {
		t.Errorf("header of the second attempt: %+v", second.Header)
	}
}

func TestUnknownAMQPOption(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.wantProblem(b.do("POST", "/v1/messages", `{"endpoint":"amqp://127.0.0.1/q?colour=red","payload":"x"}`), http.StatusBadRequest, "endpoint")
}

// TestALinkToABrokerCannotBeClosed: nobody is told that it is ending.
func TestALinkToABrokerCannotBeClosed(t *testing.T) {
	t.Parallel()
	p, err := amqppeer.Listen(t.Context(), "", amqppeer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	b := start(t, func(c *Config) {
		c.Inbound.From, c.Inbound.Handler = []transport.Endpoint{mustEndpoint(t, "amqp://"+p.Addr()+"/q")}, HandlerDrop
	})
	all := into[SessionsView](t, b.want(b.do("GET", "/v1/sessions", ""), http.StatusOK)).Sessions
	if len(all) != 1 {
		t.Fatalf("sessions: %+v", all)
	}
	problem := b.wantProblem(b.do("POST", "/v1/sessions/"+all[0].ID+"/close", ""), http.StatusConflict, "")
	if !strings.Contains(problem.Detail, "inbound.from") {
		t.Errorf("problem is %+v", problem)
	}
}

package agent

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/queue"
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

func TestUnknownAMQPOption(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.wantProblem(b.do("POST", "/v1/messages", `{"endpoint":"amqp://127.0.0.1/q?colour=red","payload":"x"}`), http.StatusBadRequest, "endpoint")
}

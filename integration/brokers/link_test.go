//go:build unix

package brokers

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/outrider-go/outrider/transport/amqp1/verbatim"
)

// session connects to a peer with go-amqp, such that messages pass verbatim.
func session(t *testing.T, address string) *amqp.Session {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client, err := amqp.NewConn(t.Context(), verbatim.NewConn(conn, 0), &amqp.ConnOptions{
		SASLType: amqp.SASLTypeAnonymous(), WriteTimeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	s, err := client.NewSession(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// node is one of a peer, with a link to it and one from it.
type node struct {
	t        *testing.T
	sender   *amqp.Sender
	receiver *amqp.Receiver
}

// credit is for all that a test receives: RabbitMQ 3.10 stops sending after some
// hundred messages where go-amqp gives a hundred at a time.
const credit = 100_000

func openNode(t *testing.T, peer *process, address string) *node {
	t.Helper()
	s := session(t, peer.address())
	sender, err := s.NewSender(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := s.NewReceiver(t.Context(), address, &amqp.ReceiverOptions{Credit: credit})
	if err != nil {
		t.Fatal(err)
	}
	return &node{t, sender, receiver}
}

// pass sends an encoded message and returns what comes out of the queue, nil when
// the peer did not take it.
func (q *node) pass(encoded []byte, format uint32) []byte {
	q.t.Helper()
	ctx, cancel := context.WithTimeout(q.t.Context(), 20*time.Second)
	defer cancel()
	message := verbatim.Message(encoded)
	message.Format = format
	receipt, err := q.sender.SendWithReceipt(ctx, message, nil)
	if err != nil {
		q.t.Errorf("send: %v", err)
		return nil
	}
	state, err := receipt.Wait(ctx)
	if _, ok := state.(*amqp.StateAccepted); !ok || err != nil {
		q.t.Errorf("the outcome is %T, %v", state, err)
		return nil
	}
	received, err := q.receiver.Receive(ctx, nil)
	if err != nil {
		q.t.Errorf("receive: %v", err)
		return nil
	}
	if err := q.receiver.AcceptMessage(ctx, received); err != nil {
		q.t.Errorf("accept: %v", err)
	}
	return verbatim.Payload(received)
}

package httpin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/httpin"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
)

const limit = 64 << 10

func TestConformance(t *testing.T) {
	inboundtest.Run(t, newHarness, inboundtest.Features{
		Evidence: transport.Written, Metadata: true, ID: true, ContentType: true, MaxMessageBytes: limit,
	})
}

func newHarness(t *testing.T) inboundtest.Harness {
	t.Helper()
	tr, err := httpin.New("127.0.0.1:0", httpin.Options{MaxMessageBytes: limit})
	if err != nil {
		t.Fatal(err)
	}
	return inboundtest.Harness{
		Transport: tr,
		Dial: func(context.Context) (inboundtest.Peer, error) {
			return &client{uri: tr.Address(), received: make(chan inboundtest.Message, 64), http: &http.Client{Transport: &http.Transport{}}}, nil
		},
	}
}

// client is a peer that posts.
type client struct {
	uri      string
	http     *http.Client
	received chan inboundtest.Message
}

var refusals = map[int]inbound.Refusal{
	http.StatusOK: "", http.StatusBadRequest: inbound.Malformed, http.StatusNotFound: inbound.UnknownRecipient,
	http.StatusForbidden: inbound.Refused, http.StatusRequestEntityTooLarge: inbound.TooLarge,
	http.StatusServiceUnavailable: inbound.Busy, http.StatusInternalServerError: inbound.Failed,
}

func (c *client) Send(ctx context.Context, m inboundtest.Message) (inboundtest.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.uri, bytes.NewReader(m.Payload))
	if err != nil {
		return inboundtest.Answer{}, err
	}
	for name, value := range m.Metadata {
		req.Header.Set(name, value)
	}
	if m.ContentType != "" {
		req.Header.Set("Content-Type", m.ContentType)
	}
	if !m.ID.IsZero() {
		req.Header.Set("Message-Id", m.ID.String())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return inboundtest.Answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return inboundtest.Answer{}, err
	}
	refusal, known := refusals[resp.StatusCode]
	if !known {
		return inboundtest.Answer{}, fmt.Errorf("the status is %s", resp.Status)
	}
	if refusal == "" && len(body) > 0 {
		id, _ := transport.ParseID(resp.Header.Get("Message-Id"))
		contentType := resp.Header.Get("Content-Type")
		c.received <- inboundtest.Message{Payload: body, ContentType: contentType, Text: contentType == "application/json", ID: id}
		body = nil
	}
	return inboundtest.Answer{Refusal: refusal, Text: fmt.Sprint(resp.Status, resp.Header, string(body))}, nil
}

func (c *client) Receive(ctx context.Context) (inboundtest.Message, error) {
	select {
	case m := <-c.received:
		return m, nil
	case <-ctx.Done():
		return inboundtest.Message{}, errors.New("there was no answer with a body")
	}
}

func (c *client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

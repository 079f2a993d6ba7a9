package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// maxEvent is the longest line of an event stream, in bytes.
const maxEvent = 16 << 20

// ErrStreamEnded is returned when the agent ended a stream: it is stopping.
var ErrStreamEnded = errors.New("the agent ended the event stream")

// Event is one event of an agent.
type Event struct {
	// Seq counts the events of the stream from 1, lost ones included.
	Seq uint64
	agent.EventView
}

// Events calls each with the events whose topic matches a pattern, as they
// happen; the empty pattern matches all. It returns the error of each, or
// ctx's, or [ErrStreamEnded].
func (c *Client) Events(ctx context.Context, topic string, each func(Event) error) error {
	return c.stream(ctx, topic, func() error { return nil }, each)
}

// Wait returns a message once it is done. It returns ctx's error when ctx ends
// first.
func (c *Client) Wait(ctx context.Context, id transport.ID) (message agent.MessageView, err error) {
	check := func() error {
		if message, err = c.Get(ctx, id, false); err != nil {
			return err
		}
		if message.State == queue.StateDone {
			return errDone
		}
		return nil
	}
	// After the stream is open no change goes unseen.
	err = c.stream(ctx, ".*outbound-message::.*|dropped", check, func(e Event) error {
		var about struct {
			ID transport.ID `json:"id"`
		}
		if err := json.Unmarshal(e.Payload, &about); err != nil {
			return fmt.Errorf("an event is about no message: %w", err)
		}
		if about.ID == id || e.Topic == "dropped" {
			return check()
		}
		return nil
	})
	if errors.Is(err, errDone) {
		return message, nil
	}
	return message, err
}

var errDone = errors.New("message is done")

// stream reads the events of a pattern. It calls opened once everything that
// happens from then on will be heard.
func (c *Client) stream(ctx context.Context, topic string, opened func() error, each func(Event) error) (err error) {
	query := url.Values{}
	setIf(query, "topic", topic)
	response, err := c.open(ctx, call{method: http.MethodGet, path: "/v1/events", query: query})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if err := opened(); err != nil {
		return err
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxEvent)
	for {
		e, err := readEvent(lines)
		if err != nil {
			return c.streamError(ctx, err)
		}
		if err := each(e); err != nil {
			return err
		}
	}
}

func (c *Client) streamError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF):
		return ErrStreamEnded
	}
	return fmt.Errorf("read events of %s: %w", c.base.Host, cause(err))
}

// readEvent reads up to the blank line that ends an event. Comments, and events
// without data, are skipped. The error is io.EOF at the end.
func readEvent(lines *bufio.Scanner) (e Event, err error) {
	var data []byte
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 && data != nil {
			if err := json.Unmarshal(data, &e.EventView); err != nil {
				return e, errors.New("an event is not JSON")
			}
			return e, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			e.Seq, err = strconv.ParseUint(string(value), 10, 64)
			if err != nil {
				return e, errors.New("an event has an id that is not a number")
			}
		case "data":
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, value...)
		}
	}
	if err := lines.Err(); err != nil {
		return e, err
	}
	return e, io.EOF
}

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
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// maxEvent is the longest line of an event stream, in bytes.
const maxEvent = 16 << 20

// Times between the attempts of Follow to connect again.
const (
	firstPause = 250 * time.Millisecond
	longPause  = 15 * time.Second
)

// ErrStreamEnded is returned when the agent ended a stream: it is stopping.
var ErrStreamEnded = errors.New("the agent ended the event stream")

// errNoEvent is returned for an event that is not an agent's.
var errNoEvent = errors.New("an event is not JSON")

// Event is one event of an agent.
type Event struct {
	ID string // to go on from
	agent.EventView
}

// Events calls each with the events whose topic matches a pattern, as they
// happen; the empty pattern matches all. It returns the error of each, or
// ctx's, or [ErrStreamEnded].
func (c *Client) Events(ctx context.Context, topic string, each func(Event) error) error {
	return c.stream(ctx, topic, new(string), func() error { return nil }, each)
}

// Follow is Events that connects again when the stream ends, and goes on from the
// last event. It calls lost with the error when a connection is lost, and with nil
// when there is one again. It returns the error of each, or ctx's, that of the first
// connection, or one that will not go away, such as that of a token.
func (c *Client) Follow(ctx context.Context, topic string, each func(Event) error, lost func(error)) error {
	var last string
	var fault error // of each
	listened, connected, pause := false, false, firstPause
	opened := func() error {
		if listened {
			lost(nil)
		}
		listened, connected, pause = true, true, firstPause
		return nil
	}
	for {
		connected = false
		err := c.stream(ctx, topic, &last, opened, func(e Event) error {
			fault = each(e)
			return fault
		})
		if !listened || fault != nil || ctx.Err() != nil || lasts(err) {
			return err
		}
		if connected {
			lost(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
			pause = min(2*pause, longPause)
		}
	}
}

// lasts reports whether an error of a stream is there to stay.
func lasts(err error) bool {
	if refused, ok := errors.AsType[*Error](err); ok {
		return refused.Status < http.StatusInternalServerError
	}
	return errors.Is(err, errNoEvent) || errors.Is(err, bufio.ErrTooLong)
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
	err = c.stream(ctx, ".*outbound-message::.*", new(string), check, func(e Event) error {
		if e.Topic == agent.TopicMissed {
			return check()
		}
		var about struct {
			ID transport.ID `json:"id"`
		}
		if err := json.Unmarshal(e.Payload, &about); err != nil {
			return fmt.Errorf("an event is about no message: %w", err)
		}
		if about.ID == id {
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

// stream reads the events of a pattern, those after the last one where it says which
// that was, and keeps it. It calls opened once everything that happens from then on
// will be heard.
func (c *Client) stream(ctx context.Context, topic string, last *string, opened func() error, each func(Event) error) (err error) {
	query := url.Values{}
	setIf(query, "topic", topic)
	response, err := c.open(ctx, call{method: http.MethodGet, path: "/v1/events", query: query, lastEvent: *last})
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
		e, err := readEvent(lines, last)
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
// without data, are skipped, but for their id: it becomes the last one. The error is
// io.EOF at the end.
func readEvent(lines *bufio.Scanner, last *string) (e Event, err error) {
	var data []byte
	e.ID = *last
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			*last = e.ID
			if data == nil {
				continue
			}
			if err := json.Unmarshal(data, &e.EventView); err != nil {
				return e, errNoEvent
			}
			return e, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			e.ID = string(value)
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

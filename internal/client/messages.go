package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/transport"
)

const typeJSON = "application/json"

// Send queues one message.
func (c *Client) Send(ctx context.Context, request agent.SendRequest) (response agent.SendResponse, err error) {
	body, err := jsonBody(request)
	if err != nil {
		return response, err
	}
	err = c.do(ctx, call{method: http.MethodPost, path: "/v1/messages", contentType: typeJSON, body: body}, &response)
	return response, err
}

// SendBatch queues the messages of an NDJSON text, one agent.SendRequest on each
// line: all of them or none. An [*Error] names the line that is at fault.
func (c *Client) SendBatch(ctx context.Context, lines io.Reader) ([]agent.SendResponse, error) {
	var response agent.BatchResponse
	err := c.do(ctx, call{method: http.MethodPost, path: "/v1/messages", contentType: "application/x-ndjson", body: lines}, &response)
	return response.Messages, err
}

// Get returns one message with its attempts, and with its payload where asked
// for.
func (c *Client) Get(ctx context.Context, id transport.ID, withPayload bool) (message agent.MessageView, err error) {
	query := url.Values{}
	if withPayload {
		query.Set("payload", "true")
	}
	err = c.do(ctx, call{method: http.MethodGet, path: "/v1/messages/" + id.String(), query: query}, &message)
	return message, err
}

// ListQuery selects messages. The zero value selects all.
type ListQuery struct {
	State    string // states or results, with commas between them
	Endpoint string // with a path: this endpoint; without: the destination
	Profile  string // a profile's id
	Limit    int    // of the page, 1 to 1000; 0 is the server's default
	Cursor   string // of the page before
}

// List returns a page of messages, newest first.
func (c *Client) List(ctx context.Context, q ListQuery) (page agent.MessagePage, err error) {
	query := url.Values{}
	setIf(query, "state", q.State)
	setIf(query, "endpoint", q.Endpoint)
	setIf(query, "profile", q.Profile)
	setIf(query, "cursor", q.Cursor)
	setLimit(query, q.Limit)
	err = c.do(ctx, call{method: http.MethodGet, path: "/v1/messages", query: query}, &page)
	return page, err
}

// Cancel ends a message that is not done, and returns it as it is then.
func (c *Client) Cancel(ctx context.Context, id transport.ID) (message agent.MessageView, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: "/v1/messages/" + id.String() + "/cancel"}, &message)
	return message, err
}

// Replay queues a message that was not delivered again.
func (c *Client) Replay(ctx context.Context, id transport.ID) (message agent.MessageView, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: "/v1/messages/" + id.String() + "/replay"}, &message)
	return message, err
}

// ReplayQuery selects messages to replay.
type ReplayQuery struct {
	Result string // dead, expired, cancelled, with commas between them; empty is dead
	Since  string // a time (RFC 3339), or how long ago ("24h"); empty is ever
	Limit  int    // of the page, 1 to 1000; 0 is the server's default
	Cursor string // of the page before
	DryRun bool   // list them only
}

// ReplayPage queues the messages of a page again, and returns them.
func (c *Client) ReplayPage(ctx context.Context, q ReplayQuery) (page agent.MessagePage, err error) {
	query := url.Values{}
	setIf(query, "result", q.Result)
	setIf(query, "since", q.Since)
	setIf(query, "cursor", q.Cursor)
	setLimit(query, q.Limit)
	if q.DryRun {
		query.Set("dry_run", "true")
	}
	err = c.do(ctx, call{method: http.MethodPost, path: "/v1/replay", query: query}, &page)
	return page, err
}

func setIf(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

func setLimit(query url.Values, limit int) {
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
}

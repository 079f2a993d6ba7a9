package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/transport"
)

// Limits of what a server may answer, in bytes.
const (
	maxAnswer  = 256 << 20 // a page of a thousand messages is far below
	maxProblem = 1 << 20
)

// Client of one agent. Make one with [New].
type Client struct {
	base  url.URL
	token transport.Secret
	http  *http.Client
}

// Error is what the API refused.
type Error struct{ agent.Problem }

// Error returns the problem's detail, or its title where it has none.
func (e *Error) Error() string {
	switch {
	case e.Detail != "":
		return e.Detail
	case e.Title != "":
		return fmt.Sprintf("%s (status %d)", e.Title, e.Status)
	}
	return fmt.Sprintf("the server answered with status %d", e.Status)
}

// New returns a client of the agent at server, such as http://127.0.0.1:8480.
// It connects to nothing. The token may be empty.
func New(server string, token transport.Secret) (*Client, error) {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("server is not a URL: write it as http://127.0.0.1:8480")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("server has more than a host, a port and a path: give the token by itself")
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	return &Client{base: *base, token: token, http: &http.Client{
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 2 * time.Minute,
			IdleConnTimeout:       time.Minute,
			ForceAttemptHTTP2:     true,
		},
		// A redirect would take the token elsewhere, and turn a POST into a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close gives idle connections back. The client can still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is one request.
type call struct {
	method, path string
	query        url.Values
	contentType  string
	lastEvent    string // the id of one, to go on from
	body         io.Reader
}

// do makes a call and reads its answer into result.
func (c *Client) do(ctx context.Context, call call, result any) (err error) {
	response, err := c.open(ctx, call)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.base.Host, cause(err))
	}
	if err := json.Unmarshal(body, result); err != nil {
		return fmt.Errorf("the answer of %s is not that of an agent: is the server the right one?", c.base.Host)
	}
	return nil
}

// open makes a call, and returns the answer if it is a success: its body is to
// be closed.
func (c *Client) open(ctx context.Context, call call) (*http.Response, error) {
	target := c.base
	target.Path += call.path
	target.RawQuery = call.query.Encode()
	request, err := http.NewRequestWithContext(ctx, call.method, target.String(), call.body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", call.method, call.path, cause(err))
	}
	if call.contentType != "" {
		request.Header.Set("Content-Type", call.contentType)
	}
	if call.lastEvent != "" {
		request.Header.Set("Last-Event-ID", call.lastEvent)
	}
	if !c.token.IsZero() {
		request.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("cannot reach %s: %w", c.base.Host, cause(err))
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, errors.Join(problemOf(response), response.Body.Close())
	}
	return response, nil
}

// problemOf reads the problem of an answer.
func problemOf(response *http.Response) error {
	fault := &Error{agent.Problem{Title: http.StatusText(response.StatusCode), Status: response.StatusCode}}
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")) // without one it is no problem document
	if mediaType != "application/problem+json" {
		return fault
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	if err != nil {
		return fault
	}
	var told agent.Problem
	if json.Unmarshal(body, &told) == nil {
		told.Status = response.StatusCode
		fault.Problem = told
	}
	return fault
}

// cause drops the URL that an error of net/http repeats.
func cause(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		return outer.Err
	}
	return err
}

// jsonBody is a call's body.
func jsonBody(value any) (io.Reader, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return bytes.NewReader(body), nil
}

package httpout

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/outrider-go/outrider/transport/outbound"
)

// call is what one attempt needs of its own. It serves another attempt once
// net/http is known to be done with it, and never before: a receiver that answers
// early must not find the next message's header half written into this one's.
type call struct {
	client  *retryablehttp.Client // goes through RoundTrip
	pool    *pool
	request retryablehttp.Request
	url     url.URL
	header  header
	none    http.Header // stands for header above RoundTrip; stays empty
	payload []byte
	reader  bytes.Reader
	body    io.ReadCloser // around reader; net/http knows this type, and sends header and body in one packet
	rewound bool          // net/http took the payload from the start again
	trace   httptrace.ClientTrace
	begun   atomic.Bool // the request's first byte is being written
	written atomic.Bool // its last byte has been handed over

	getBody func() (io.ReadCloser, error) // rewind, bound once
}

func (t *Transport) newCall() *call {
	c := &call{none: http.Header{}}
	c.header.init(t.options.MessageIDHeader, t.userAgent)
	c.client = newClient(c)
	c.body = io.NopCloser(&c.reader)
	c.getBody = c.rewind
	c.trace.WroteHeaders = func() { c.begun.Store(true) }
	c.trace.WroteRequest = func(httptrace.WroteRequestInfo) { c.written.Store(true) }
	return c
}

// newClient wraps a round tripper in retryablehttp, with everything off that
// would repeat, follow, remember or log.
func newClient(transport http.RoundTripper) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:     0,
		CheckRetry:   func(context.Context, *http.Response, error) (bool, error) { return false, nil },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// prepare makes the request of an attempt. Its error is about the message.
func (t *Transport) prepare(ctx context.Context, p *pool, m *outbound.Message) (*call, *outbound.FieldError) {
	c := t.calls.Get().(*call) //nolint:forcetypeassert // the pool holds nothing else
	c.pool, c.url, c.payload = p, m.Endpoint.URL(), m.Payload
	if err := t.setHeader(&c.header, m); err != nil {
		return nil, err
	}
	c.url.User = nil // in the header
	request := http.Request{
		Method: http.MethodPost, URL: &c.url, Header: c.none,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if len(m.Payload) > 0 {
		c.reader.Reset(m.Payload)
		request.Body, request.ContentLength = c.body, int64(len(m.Payload))
		// With it, net/http opens another connection when a pooled one turns out to
		// be closed before anything was written.
		request.GetBody = c.getBody
	}
	c.request.Request = request.WithContext(httptrace.WithClientTrace(ctx, &c.trace))
	return c, nil
}

// do makes the request.
func (c *call) do() (*http.Response, error) { return c.client.Do(&c.request) }

// RoundTrip implements http.RoundTripper between http.Client and the pool's
// transport. It sets the header only here, since http.Client copies what it sees,
// for redirects. It hides CloseIdleConnections, which retryablehttp calls after
// each failure, and which would drop the connections to all other destinations
// too; and Location: http.Client fails on a malformed one before it asks whether
// to follow.
func (c *call) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header = c.header.current
	resp, err := c.pool.transport.RoundTrip(r)
	if err == nil && resp.StatusCode >= 300 && resp.StatusCode <= 399 {
		resp.Header.Del("Location")
	}
	return resp, err
}

// rewind implements http.Request.GetBody. The old body may still be read by
// another goroutine.
func (c *call) rewind() (io.ReadCloser, error) {
	c.rewound = true
	return io.NopCloser(bytes.NewReader(c.payload)), nil
}

// sent is how much of the payload may have left.
func (c *call) sent() int64 {
	if c.begun.Load() {
		return int64(len(c.payload))
	}
	return 0
}

// done gives c back after an answer was read to its end. It is dropped where
// net/http may still hold a part of it: the request was not written to its end,
// or more than once, or over HTTP/2, whose streams end in goroutines of their own.
func (t *Transport) done(c *call, resp *http.Response) {
	if !c.written.Load() || c.rewound || resp.ProtoMajor != 1 {
		return
	}
	c.header.reset()
	c.request.Request, c.url, c.payload, c.pool = nil, url.URL{}, nil, nil
	c.reader.Reset(nil)
	c.begun.Store(false)
	c.written.Store(false)
	t.calls.Put(c)
}

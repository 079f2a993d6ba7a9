package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
)

// inFlight is how many attempts both contestants make at once.
const inFlight = 64

// newTenant returns a profile that may reach the sink, on loopback.
func newTenant() (*profile.Profile, error) {
	return profile.New(profile.DefaultID, profile.Options{
		Egress: profile.Egress{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
}

// handWritten is what people write: a channel, workers, go-retryablehttp.
type handWritten struct {
	client *retryablehttp.Client
}

func newHandWritten() *handWritten {
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.HTTPClient = &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		MaxIdleConns:        2 * inFlight,
		MaxIdleConnsPerHost: 2 * inFlight,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
	}}
	return &handWritten{client}
}

// deliver sends payload n times through a channel and its workers.
func (h *handWritten) deliver(ctx context.Context, uri string, payload []byte, n int) error {
	queue := make(chan []byte, n)
	faults := make(chan error, n)
	var workers sync.WaitGroup
	for range inFlight {
		workers.Go(func() {
			for body := range queue {
				if err := h.post(ctx, uri, body); err != nil {
					faults <- err
				}
			}
		})
	}
	for range n {
		queue <- payload
	}
	close(queue)
	workers.Wait()
	select {
	case err := <-faults:
		return err
	default:
		return nil
	}
}

func (h *handWritten) post(ctx context.Context, uri string, body []byte) error {
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, uri, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := h.client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return err
}

func (h *handWritten) close() { h.client.HTTPClient.CloseIdleConnections() }

// framework is ours: manager, store, HTTP transport.
type framework struct {
	manager *outbound.Manager
	store   queue.Store
	tenant  *profile.Profile
}

// newFramework is one whose store is in memory.
func newFramework(ctx context.Context, options outbound.Options, transports ...outbound.Transport) (*framework, error) {
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		return nil, err
	}
	return newFrameworkOn(ctx, store, options, transports...)
}

// newFrameworkOn is one that keeps messages in the store, which it closes.
func newFrameworkOn(ctx context.Context, store queue.Store, options outbound.Options, transports ...outbound.Transport) (*framework, error) {
	tenant, err := newTenant()
	if err != nil {
		return nil, err
	}
	if options.Profiles, err = profile.NewStatic(tenant); err != nil {
		return nil, err
	}
	manager, err := outbound.New(store, options)
	if err != nil {
		return nil, err
	}
	for _, t := range transports {
		if err := manager.Register(t); err != nil {
			return nil, err
		}
	}
	if err := manager.Start(ctx); err != nil {
		return nil, err
	}
	return &framework{manager, store, tenant}, nil
}

// newHTTPFramework is the framework with as many attempts at once as the
// hand-written contestant.
func newHTTPFramework(ctx context.Context) (*framework, error) {
	http, err := httpout.New(httpout.Options{MaxConnsPerHost: 2 * inFlight, MaxIdleConns: 2 * inFlight})
	if err != nil {
		return nil, err
	}
	return newFramework(ctx, outbound.Options{Workers: inFlight, LaneConcurrency: inFlight}, http)
}

// send queues payload n times.
func (f *framework) send(ctx context.Context, endpoint transport.Endpoint, payload []byte, n int) error {
	message := outbound.Message{Endpoint: endpoint, Payload: payload, Profile: f.tenant}
	for range n {
		if _, err := f.manager.Send(ctx, message); err != nil {
			return err
		}
	}
	return nil
}

// deliver sends payload n times and waits until all have arrived.
func (f *framework) deliver(ctx context.Context, endpoint transport.Endpoint, payload []byte, n int) error {
	if err := f.send(ctx, endpoint, payload, n); err != nil {
		return err
	}
	return f.manager.Flush(ctx)
}

func (f *framework) close(ctx context.Context) error {
	_, err := f.manager.Stop(ctx)
	if err == nil {
		err = f.store.Close(ctx)
	}
	return err
}

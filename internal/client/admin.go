package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/transport/inbound"
)

// Stats returns the counts of messages and each transport's statistics.
func (c *Client) Stats(ctx context.Context) (stats agent.StatsView, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: "/v1/stats"}, &stats)
	return stats, err
}

// Destinations returns the destinations that are paused or fail.
func (c *Client) Destinations(ctx context.Context) ([]agent.DestinationView, error) {
	var view agent.DestinationsView
	err := c.do(ctx, call{method: http.MethodGet, path: "/v1/destinations"}, &view)
	return view.Destinations, err
}

// Pause holds a destination.
func (c *Client) Pause(ctx context.Context, request agent.PauseRequest) (agent.DestinationView, error) {
	return c.destination(ctx, "/v1/destinations/pause", request)
}

// Resume lets a destination of a profile run again; the empty profile is the
// default one.
func (c *Client) Resume(ctx context.Context, profile, destination string) (agent.DestinationView, error) {
	return c.destination(ctx, "/v1/destinations/resume", agent.PauseRequest{Profile: profile, Destination: destination})
}

// Test makes one attempt at a destination of a profile; the empty profile is the
// default one.
func (c *Client) Test(ctx context.Context, profile, destination string) (view agent.DestinationTestView, err error) {
	err = c.post(ctx, "/v1/destinations/test", agent.PauseRequest{Profile: profile, Destination: destination}, &view)
	return view, err
}

func (c *Client) destination(ctx context.Context, path string, request agent.PauseRequest) (view agent.DestinationView, err error) {
	err = c.post(ctx, path, request, &view)
	return view, err
}

func (c *Client) post(ctx context.Context, path string, request agent.PauseRequest, view any) error {
	body, err := jsonBody(request)
	if err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodPost, path: path, contentType: typeJSON, body: body}, view)
}

// Sessions lists the sessions that are open.
func (c *Client) Sessions(ctx context.Context) ([]inbound.SessionInfo, error) {
	var view agent.SessionsView
	err := c.do(ctx, call{method: http.MethodGet, path: "/v1/sessions"}, &view)
	return view.Sessions, err
}

// CloseSession ends a session.
func (c *Client) CloseSession(ctx context.Context, id string) error {
	var closing agent.SessionClosing
	return c.do(ctx, call{method: http.MethodPost, path: "/v1/sessions/" + url.PathEscape(id) + "/close"}, &closing)
}

// Pickups lists the recipients for whom messages wait.
func (c *Client) Pickups(ctx context.Context) ([]agent.PickupView, error) {
	var view agent.PickupsView
	err := c.do(ctx, call{method: http.MethodGet, path: "/v1/pickups"}, &view)
	return view.Pickups, err
}

// Ready reports why the agent would not accept a message; nil: it would.
func (c *Client) Ready(ctx context.Context) error {
	var health agent.HealthView
	return c.do(ctx, call{method: http.MethodGet, path: "/readyz"}, &health)
}

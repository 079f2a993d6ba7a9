package inbound_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/wireformat"
)

// agent is a started manager with a receiver in memory.
type agent struct {
	*inbound.Manager
	mem *inboundtest.Memory
}

// start starts a manager; it is stopped when the test ends.
func start(t *testing.T, handler inbound.Handler, options inbound.Options) *agent {
	t.Helper()
	mem := &inboundtest.Memory{}
	return &agent{inboundtest.Start(t, handler, options, mem), mem}
}

// dial opens a connection whose peer has proven, by its connection, to be peer.
func (a *agent) dial(t *testing.T, headers ...string) *inboundtest.Conn {
	t.Helper()
	c, err := a.mem.Dial(origin(headers...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func origin(headers ...string) inbound.Origin {
	o := inbound.Origin{Remote: "peer:1"}
	for i := 0; i+1 < len(headers); i += 2 {
		if o.Header == nil {
			o.Header = map[string]string{}
		}
		o.Header[headers[i]] = headers[i+1]
	}
	return o
}

// peers takes the header Peer for who the connection has proven the peer to be, and
// Tenant for the profile.
func peers(t *testing.T, names ...string) inbound.Tenants {
	t.Helper()
	profiles := map[string]*profile.Profile{"": profile.Default()}
	for _, name := range names {
		p, err := profile.New(name, profile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		profiles[name] = p
	}
	return inbound.TenantsFunc(func(_ context.Context, o *inbound.Origin, f *wireformat.Frame) (inbound.Tenant, error) {
		name, peer := o.Header["Tenant"], o.Header["Peer"]
		if own, ok := f.Header["Tenant"]; ok {
			name = own
		}
		if own, ok := f.Header["Peer"]; ok {
			peer = own
		}
		p := profiles[name]
		if p == nil {
			return inbound.Tenant{}, inbound.ErrUnknownRecipient
		}
		return inbound.Tenant{Profile: p, Peer: peer}, nil
	})
}

// text is a frame of plain text, with a header.
func text(body string, headers ...string) wireformat.Frame {
	f := wireformat.Frame{Text: true, Body: []byte(body)}
	for i := 0; i+1 < len(headers); i += 2 {
		if f.Header == nil {
			f.Header = map[string]string{}
		}
		f.Header[headers[i]] = headers[i+1]
	}
	return f
}

func jsonFrame(t *testing.T, message map[string]any) wireformat.Frame {
	t.Helper()
	body, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return wireformat.Frame{ContentType: "application/json", Text: true, Body: body}
}

func ignore(context.Context, *inbound.Message) (*inbound.Reply, error) { return nil, nil }

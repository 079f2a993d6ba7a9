//go:build unix

package brokers

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
)

// delivery is a manager that delivers over AMQP to peers of this machine.
type delivery struct {
	*outbound.Manager

	t      *testing.T
	tenant *profile.Profile
}

func startDelivery(t *testing.T, options outbound.Options, over amqpout.Options, of profile.Options) *delivery {
	t.Helper()
	of.Egress.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	tenant, err := profile.New(profile.DefaultID, of)
	if err != nil {
		t.Fatal(err)
	}
	if options.Profiles, err = profile.NewStatic(tenant); err != nil {
		t.Fatal(err)
	}
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	manager, err := outbound.New(store, options)
	if err != nil {
		t.Fatal(err)
	}
	driver, err := amqpout.New(over)
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.Register(driver); err != nil {
		t.Fatal(err)
	}
	if err := manager.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if _, err := manager.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return &delivery{manager, t, tenant}
}

func (d *delivery) endpoint(uri string) transport.Endpoint {
	d.t.Helper()
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		d.t.Fatal(err)
	}
	return endpoint
}

// once makes one attempt and returns what became of it.
func (d *delivery) once(uri string) (queue.Record, queue.Attempt) {
	d.t.Helper()
	accepted, err := d.Send(d.t.Context(), outbound.Message{
		Endpoint: d.endpoint(uri), Payload: []byte("hello"), Profile: d.tenant,
		Retry: &outbound.RetryPolicy{Base: time.Millisecond, MaxAttempts: 1},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.Flush(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	record, err := d.Get(d.t.Context(), accepted.ID, false)
	if err != nil {
		d.t.Fatal(err)
	}
	attempts, err := d.Attempts(d.t.Context(), accepted.ID)
	if err != nil || len(attempts) != 1 {
		d.t.Fatalf("%d attempts, %v; want 1", len(attempts), err)
	}
	return record, attempts[0]
}

// outcome is what an attempt at an address comes to.
type outcome struct {
	address string
	class   transport.Class
	code    string
}

// testOutcomes makes an attempt for each. Only accepted is delivered.
func testOutcomes(t *testing.T, peer *process, outcomes []outcome) {
	t.Helper()
	d := startDelivery(t, outbound.Options{AttemptTimeout: 2 * time.Second}, amqpout.Options{}, profile.Options{})
	for _, want := range outcomes {
		record, attempt := d.once("amqp://" + peer.address() + "/" + want.address)
		if attempt.Class != want.class || attempt.Code != want.code {
			t.Errorf("%s: class %s, code %q, %s; want %s, %q", want.address, attempt.Class, attempt.Code, attempt.Error, want.class, want.code)
		}
		delivered := want.class == transport.Success
		if (record.Result == queue.Delivered) != delivered || (attempt.Evidence == transport.Accepted) != delivered {
			t.Errorf("%s: result %v with evidence %v", want.address, record.Result, attempt.Evidence)
		}
	}
}

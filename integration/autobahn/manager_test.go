package autobahn

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/serializer"
)

// TestManager: the scheme plugs in by being registered, and a wire format with it.
// The message is kept, encoded once, delivered, and recorded as accepted.
func TestManager(t *testing.T) {
	t.Parallel()
	router := start(t, "router.py").line(t)
	client := joined(t, router, "cbor")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	wire, err := serializer.NewCBOR(serializer.CBOROptions{})
	if err != nil {
		t.Fatal(err)
	}
	cbor, err := serializer.NewFormat(wire)
	if err != nil {
		t.Fatal(err)
	}
	formats, err := wireformat.NewRegistry(append(wireformat.Builtin(), cbor)...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := outboundtest.Message(t, base(t, router)+"com.x.t", `{"a":[1,"é"]}`)
	local, err := profile.New("local", profile.Options{Egress: m.Profile.Egress(), MinEvidence: transport.Accepted})
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := profile.NewStatic(local)
	if err != nil {
		t.Fatal(err)
	}
	manager, err := outbound.New(store, outbound.Options{Formats: formats, Profiles: profiles})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := wampout.New(wampout.Options{})
	if err == nil {
		err = manager.Register(tr)
	}
	if err == nil {
		err = manager.Start(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := manager.Send(ctx, outbound.Message{
		Endpoint: m.Endpoint, Payload: m.Payload, Text: true, Profile: local, WireFormat: serializer.CBORID,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if e := client.event(t); !reflect.DeepEqual(e.Args, []any{map[string]any{"$bytes": "a161618201" + "62c3a9"}}) || e.Kwargs["content_type"] != "application/cbor" {
		t.Errorf("the client gets %+v", e)
	}
	record, err := manager.Get(ctx, accepted.ID, false)
	if err != nil || record.Result != queue.Delivered || record.Evidence != transport.Accepted {
		t.Errorf("the record is %+v, %v", record, err)
	}
	if _, err := manager.Stop(ctx); err != nil {
		t.Error(err)
	}
}

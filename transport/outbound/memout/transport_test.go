package memout_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/memout"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
)

func started(t *testing.T, options memout.Options) *memout.Transport {
	t.Helper()
	mem := newTransport(t, options)
	if err := mem.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return mem
}

func TestOptionsNameEachFault(t *testing.T) {
	t.Parallel()
	_, err := memout.New(memout.Options{Schemes: []string{"mem", "MEM", "1mem", ""}})
	if err == nil || strings.Count(err.Error(), "is not a scheme") != 3 {
		t.Errorf("error is %v, want three faults", err)
	}
}

func TestHostWithAMailboxOfItsOwn(t *testing.T) {
	t.Parallel()
	mem := started(t, memout.Options{Schemes: []string{"http"}, WireFormat: "json"})
	if format := mem.WireFormat(); format != "json" {
		t.Errorf("wire format is %q", format)
	}
	own := mem.Mailbox("a.example")
	for _, uri := range []string{"http://a.example/in", "http://b.example/in"} {
		m := outboundtest.Message(t, uri, "to "+uri)
		receipt, err := mem.HandleMessage(t.Context(), m)
		if err != nil || receipt.Evidence != transport.Acknowledged {
			t.Fatalf("receipt is %+v, %v", receipt, err)
		}
	}
	if d := <-own; string(d.Payload) != "to http://a.example/in" || !d.Text || d.Attempt != 1 || d.ID.IsZero() {
		t.Errorf("a.example got %+v", d)
	}
	if d := <-mem.Deliveries(); string(d.Payload) != "to http://b.example/in" {
		t.Errorf("the others got %+v", d)
	}
}

func TestRespondDecides(t *testing.T) {
	t.Parallel()
	cause := errors.New("no")
	for _, test := range []struct {
		name    string
		receipt outbound.Receipt
		err     error
		want    outbound.DeliveryError // without its cause
	}{
		{"takes it", outbound.Receipt{}, nil, outbound.DeliveryError{}},
		{"takes it, with evidence", outbound.Receipt{Evidence: transport.Accepted, Code: "accepted"}, nil, outbound.DeliveryError{}},
		{"plain error", outbound.Receipt{}, cause, outbound.DeliveryError{Op: "respond", Transport: "mem", Class: transport.Temporary, MaybeSent: true}},
		{"the context's", outbound.Receipt{}, context.DeadlineExceeded, outbound.DeliveryError{Op: "respond", Transport: "mem", Class: transport.Unknown, MaybeSent: true}},
		{"its own words", outbound.Receipt{},
			&outbound.DeliveryError{Op: "post", Transport: "http", Class: transport.Throttled, RetryAfter: time.Minute, Code: "429", Err: cause},
			outbound.DeliveryError{Op: "post", Transport: "http", Class: transport.Throttled, RetryAfter: time.Minute, Code: "429"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			mem := started(t, memout.Options{Respond: func(context.Context, *outbound.Message) (outbound.Receipt, error) {
				return test.receipt, test.err
			}})
			m := outboundtest.Message(t, "mem://a/in", "hello")
			receipt, err := mem.HandleMessage(t.Context(), m)
			if test.err == nil {
				if want := max(test.receipt.Evidence, transport.Acknowledged); err != nil || receipt.Evidence != want || receipt.Code != test.receipt.Code {
					t.Errorf("receipt is %+v, %v", receipt, err)
				}
				return
			}
			var got *outbound.DeliveryError
			if !errors.As(err, &got) || !errors.Is(err, test.err) && !errors.Is(err, cause) {
				t.Fatalf("error is %v", err)
			}
			if got.Op != test.want.Op || got.Transport != test.want.Transport || got.Class != test.want.Class ||
				got.MaybeSent != test.want.MaybeSent || got.RetryAfter != test.want.RetryAfter || got.Code != test.want.Code ||
				got.Endpoint != m.Endpoint {
				t.Errorf("error is %+v, want %+v", got, test.want)
			}
			if len(mem.Deliveries()) != 0 {
				t.Error("it was delivered, too")
			}
		})
	}
}

func TestFullMailboxMakesAttemptsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := started(t, memout.Options{Capacity: 1})
		send := func(ctx context.Context) error {
			_, err := mem.HandleMessage(ctx, outboundtest.Message(t, "mem://a/in", "hello"))
			return err
		}
		if err := send(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := send(ctx)
		var delivery *outbound.DeliveryError
		if !errors.As(err, &delivery) || delivery.Class != transport.Temporary || delivery.MaybeSent || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want the deadline", err)
		}
		sent := make(chan error)
		go func() { sent <- send(t.Context()) }()
		synctest.Wait()
		<-mem.Deliveries()
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

func TestStopWaitsForAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		mem := started(t, memout.Options{Respond: func(context.Context, *outbound.Message) (outbound.Receipt, error) {
			<-answer
			return outbound.Receipt{}, nil
		}})
		sent := make(chan error, 1)
		go func() {
			_, err := mem.HandleMessage(t.Context(), outboundtest.Message(t, "mem://a/in", "hello"))
			sent <- err
		}()
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := mem.Stop(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v, want the deadline", err)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- mem.Stop(t.Context()) }()
		synctest.Wait()
		if _, err := mem.HandleMessage(t.Context(), outboundtest.Message(t, "mem://a/in", "late")); !errors.Is(err, memout.ErrNotRunning) {
			t.Errorf("during Stop: %v, want ErrNotRunning", err)
		}
		close(answer)
		if err := errors.Join(<-sent, <-stopped); err != nil {
			t.Error(err)
		}
		if err := mem.Start(t.Context()); err != nil {
			t.Errorf("Start after Stop: %v", err)
		}
	})
}

func BenchmarkHandleMessage(b *testing.B) {
	mem, err := memout.New(memout.Options{Capacity: -1})
	if err != nil {
		b.Fatal(err)
	}
	if err := mem.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	m := outboundtest.Message(b, "mem://a/in", make([]byte, 1024))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mem.HandleMessage(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}

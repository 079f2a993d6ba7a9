package httpout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	receiver := serve(t, ok)
	tr := stopped(t)
	m := message(t, local(t, profile.Options{}), receiver.URL)
	for range 2 { // it can be started again
		expect(t, fail(t, t.Context(), tr, m), transport.Temporary, codeStopped, false)
		if err := tr.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := tr.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := tr.Start(t.Context()); !errors.Is(err, transport.ErrStarted) {
			t.Errorf("second start: %v", err)
		}
		deliver(t, tr, m)
		for range 2 {
			if err := tr.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect(t, fail(t, t.Context(), tr, m), transport.Temporary, codeStopped, false)
}

func TestStartWithAnEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := stopped(t).Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// hanging returns an endpoint that answers only when released.
func hanging(t *testing.T) (address string, reached <-chan struct{}, release func()) {
	t.Helper()
	got, answer := make(chan struct{}, 1), make(chan struct{})
	address = "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		if _, err := readRequest(in); err != nil {
			return
		}
		got <- struct{}{}
		<-answer
		_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		_, _ = in.ReadByte()
	})
	released := false
	release = func() {
		if !released {
			released = true
			close(answer)
		}
	}
	t.Cleanup(release)
	return address, got, release
}

func TestStopWaitsForAttempts(t *testing.T) {
	t.Parallel()
	address, reached, release := hanging(t)
	tr, m := start(t, Options{}), message(t, local(t, profile.Options{}), address)
	done := make(chan error, 1)
	go func() {
		_, err := tr.HandleMessage(t.Context(), m)
		done <- err
	}()
	<-reached
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := tr.Stop(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop during an attempt: %v", err)
	}
	expect(t, fail(t, t.Context(), tr, m), transport.Temporary, codeStopped, false)
	release()
	if err := <-done; err != nil {
		t.Errorf("the attempt under way: %v", err)
	}
	if err := tr.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHardStopEndsAttempts(t *testing.T) {
	t.Parallel()
	address, reached, release := hanging(t)
	tr, p := stopped(t), local(t, profile.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	if err := tr.Start(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := tr.HandleMessage(t.Context(), message(t, p, address))
		done <- err
	}()
	<-reached
	cancel()
	var fault *outbound.DeliveryError
	if !errors.As(<-done, &fault) {
		t.Fatal("the attempt succeeded")
	}
	expect(t, fault, transport.Unknown, codeConnectionClosed, true)
	expect(t, fail(t, t.Context(), tr, message(t, p, address)), transport.Temporary, codeStopped, false)
	release()
	if err := tr.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCanceledBeforeItBegins(t *testing.T) {
	t.Parallel()
	receiver := serve(t, ok)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fault := fail(t, ctx, start(t, Options{}), message(t, local(t, profile.Options{}), receiver.URL))
	expect(t, fault, transport.Temporary, codeCanceled, false)
	if receiver.connections.Load() != 0 {
		t.Error("it connected")
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	receiver := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-reply")
		switch r.URL.Path {
		case "/long":
			_, _ = w.Write(make([]byte, 64<<10))
		case "/longer":
			_, _ = w.Write(make([]byte, 64<<10+1))
		case "/failed":
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "no")
		case "/empty":
		default:
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, "reply")
		}
	})
	var got []Reply
	var about []*outbound.Message
	tr := start(t, Options{KeepResponse: 3, OnReply: func(_ context.Context, m *outbound.Message, r Reply) error {
		got, about = append(got, r), append(about, m)
		return nil
	}})
	p := local(t, profile.Options{})
	for path, want := range map[string]int{"/": 5, "/long": 64 << 10, "/longer": 0, "/empty": 0, "/failed": 0} {
		got, about = nil, nil
		m := message(t, p, receiver.URL+path)
		receipt, _ := tr.HandleMessage(t.Context(), m)
		if want == 0 {
			if len(got) != 0 {
				t.Errorf("%s: a reply of %d bytes", path, len(got[0].Body))
			}
			continue
		}
		if len(got) != 1 || len(got[0].Body) != want || got[0].ContentType != "application/x-reply" || about[0] != m {
			t.Fatalf("%s: got %d replies", path, len(got))
		}
		got[0].Body[0] = '!'
		if len(receipt.Response) != 3 || receipt.Response[0] == '!' {
			t.Errorf("%s: the receipt has %q", path, receipt.Response)
		}
	}
}

func TestKeptResponse(t *testing.T) {
	t.Parallel()
	receiver := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fail" {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "response")
	})
	p := local(t, profile.Options{})
	for keep, want := range map[int]string{-1: "", 0: "response", 4: "resp"} {
		tr := start(t, Options{KeepResponse: keep})
		if got := deliver(t, tr, message(t, p, receiver.URL)).Response; string(got) != want {
			t.Errorf("keep %d: receipt has %q", keep, got)
		}
		if got := fail(t, t.Context(), tr, message(t, p, receiver.URL+"/fail")).Response; string(got) != want {
			t.Errorf("keep %d: error has %q", keep, got)
		}
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	receiver := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusGone)
		}
		_, _ = io.WriteString(w, "12345")
	})
	tr, p := start(t, Options{}), local(t, profile.Options{})
	m := message(t, p, receiver.URL)
	deliver(t, tr, m)
	_ = fail(t, t.Context(), tr, message(t, p, receiver.URL+"/gone"))
	_ = fail(t, t.Context(), tr, message(t, p, "http://"+fakepeer.Nobody(t)))
	got := tr.Collector().Snapshot()
	if got.BytesSent != 2*int64(len(m.Payload)) || got.BytesReceived != 10 {
		t.Errorf("%d bytes sent, %d received", got.BytesSent, got.BytesReceived)
	}
	if got.Errors["permanent"] != 1 || got.Errors["temporary"] != 1 {
		t.Errorf("errors %v", got.Errors)
	}
	for phase, count := range map[string]int64{"connect": 2, "first_byte": 2, "total": 3} {
		if got.Metrics[phase].Count != count {
			t.Errorf("%s was timed %d times, want %d", phase, got.Metrics[phase].Count, count)
		}
	}
}

// TestAReplyThatIsNotTaken: the receiver has acknowledged the message whatever becomes
// of its answer. Where that may be taken another time, the attempt is made again.
func TestAReplyThatIsNotTaken(t *testing.T) {
	t.Parallel()
	receiver := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "reply") })
	full := errors.New("full")
	var answer func() error
	core, logs := observer.New(zapcore.DebugLevel)
	tr := start(t, Options{Logger: zap.New(core), OnReply: func(context.Context, *outbound.Message, Reply) error { return answer() }})
	m := message(t, local(t, profile.Options{}), receiver.URL)

	answer = func() error { return full }
	receipt, err := tr.HandleMessage(t.Context(), m)
	fault := faultOf(err)
	if fault == nil || fault.Class != transport.Unknown || fault.Code != outbound.CodeReplyNotTaken || !fault.MaybeSent || !errors.Is(err, full) {
		t.Errorf("no room: %v", err)
	}
	if receipt.Evidence != transport.Acknowledged || fault != nil && (string(fault.Response) != "reply" || fault.Endpoint != m.Endpoint) {
		t.Errorf("no room: %+v, %+v", receipt, fault)
	}
	answer = func() error { panic("s3cr3t") }
	receipt = deliver(t, tr, m)
	if receipt.Evidence != transport.Acknowledged || !strings.Contains(receipt.Note, "panicked with a string") {
		t.Errorf("a panic: %+v", receipt)
	}
	if logs.FilterFieldKey("stack").Len() != 1 || strings.Contains(fmt.Sprint(logs.All()), "s3cr3t") {
		t.Errorf("log: %v", logs.All())
	}
}

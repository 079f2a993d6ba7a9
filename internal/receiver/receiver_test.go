package receiver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/internal/receiver"
)

// recorder is a receiver on a port of its own, and what it recorded.
type recorder struct {
	*receiver.Server
	records chan receiver.Received
	client  *http.Client
}

func listen(t *testing.T, options receiver.Options) *recorder {
	t.Helper()
	records := make(chan receiver.Received, 100)
	options.Sink = func(r receiver.Received) { records <- r }
	r, err := receiver.New(options)
	if err != nil {
		t.Fatal(err)
	}
	server, err := r.Listen(t.Context(), "http://127.0.0.1:0/ignored")
	if err != nil {
		t.Fatal(err)
	}
	connections := &http.Transport{}
	t.Cleanup(func() {
		connections.CloseIdleConnections()
		if err := server.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return &recorder{server, records, &http.Client{Transport: connections}}
}

// post sends a body, and returns the answer's status and Retry-After.
func (r *recorder) post(ctx context.Context, path, contentType string, body io.Reader) (status int, retryAfter string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL()+path, body)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Add("X-Twice", "a")
	request.Header.Add("X-Twice", "b")
	response, err := r.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header.Get("Retry-After"), err
}

func TestRecordsWhatArrives(t *testing.T) {
	t.Parallel()
	r := listen(t, receiver.Options{})
	before := time.Now()
	status, _, err := r.post(t.Context(), "/in%2Fbox/a?b=c&d", "application/json", strings.NewReader(`{"é":1}`))
	if err != nil || status != http.StatusOK {
		t.Fatalf("status is %d, %v", status, err)
	}
	got := <-r.records
	if got.Scheme != "http" || got.Method != http.MethodPost || got.Path != "/in%2Fbox/a" || got.Query != "b=c&d" ||
		got.ContentType != "application/json" || string(got.Payload) != `{"é":1}` {
		t.Errorf("recorded %+v", got)
	}
	if got.Headers["X-Twice"] != "a, b" || "http://"+got.Headers["Host"] != r.URL() {
		t.Errorf("headers are %v", got.Headers)
	}
	if got.ReceivedAt.Before(before) || got.ReceivedAt.After(time.Now()) {
		t.Errorf("received at %v", got.ReceivedAt)
	}
	if host, _, err := net.SplitHostPort(got.Remote); err != nil || host != "127.0.0.1" {
		t.Errorf("remote is %q, %v", got.Remote, err)
	}
}

func TestAnswersAsTold(t *testing.T) {
	t.Parallel()
	type answer struct {
		status     int
		retryAfter string
	}
	for _, test := range []struct {
		name    string
		options receiver.Options
		want    []answer
	}{
		{"by default", receiver.Options{}, []answer{{200, ""}}},
		{"status", receiver.Options{Answer: receiver.Answer{Status: 418}}, []answer{{418, ""}, {418, ""}}},
		{"no content", receiver.Options{Answer: receiver.Answer{Status: 204}}, []answer{{204, ""}}},
		{"retry after", receiver.Options{Answer: receiver.Answer{Status: 429, RetryAfter: 7}}, []answer{{429, "7"}}},
		{"retry after a success", receiver.Options{Answer: receiver.Answer{RetryAfter: 7}}, []answer{{200, ""}}},
		{"fails first", receiver.Options{FailFirst: 2, Answer: receiver.Answer{RetryAfter: 7}}, []answer{{503, "7"}, {503, "7"}, {200, ""}}},
		{"fails first with", receiver.Options{FailFirst: 1, FailStatus: 400, Answer: receiver.Answer{Status: 202}}, []answer{{400, ""}, {202, ""}}},
		{"script", receiver.Options{Script: func(n int) receiver.Answer {
			return receiver.Answer{Status: 300 + n, RetryAfter: n}
		}}, []answer{{301, "1"}, {302, "2"}}},
		{"reply", receiver.Options{Answer: receiver.Answer{Status: 500}, Reply: func(r receiver.Received) receiver.Answer {
			return receiver.Answer{Status: 201 + len(r.Path)}
		}}, []answer{{202, ""}}},
		{"script without a status", receiver.Options{Script: func(int) receiver.Answer { return receiver.Answer{} }}, []answer{{200, ""}}},
		{"script with a bad status", receiver.Options{Script: func(int) receiver.Answer { return receiver.Answer{Status: 42} }}, []answer{{500, ""}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := listen(t, test.options)
			r.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			for i, want := range test.want {
				status, retryAfter, err := r.post(t.Context(), "/", "text/plain", strings.NewReader("x"))
				if err != nil || status != want.status || retryAfter != want.retryAfter {
					t.Errorf("answer %d is %d, %q, %v; want %+v", i+1, status, retryAfter, err, want)
				}
				if len(r.records) != i+1 {
					t.Errorf("answer %d: %d requests are recorded", i+1, len(r.records))
				}
			}
		})
	}
}

func TestHangsUp(t *testing.T) {
	t.Parallel()
	r := listen(t, receiver.Options{Answer: receiver.Answer{Hangup: true}})
	if status, _, err := r.post(t.Context(), "/", "text/plain", strings.NewReader("x")); !errors.Is(err, io.EOF) {
		t.Errorf("status is %d, %v; want EOF", status, err)
	}
	if got := <-r.records; string(got.Payload) != "x" {
		t.Errorf("recorded %+v", got)
	}
}

func TestRefusesLongBodies(t *testing.T) {
	t.Parallel()
	r := listen(t, receiver.Options{MaxBody: 1000})
	for _, test := range []struct{ length, want int }{{1000, 200}, {1001, 413}, {100_000, 413}} {
		// Without a known length, it is the reading that finds out.
		for _, body := range []io.Reader{bytes.NewReader(make([]byte, test.length)), io.LimitReader(zeros{}, int64(test.length))} {
			status, _, err := r.post(t.Context(), "/", "text/plain", body)
			if err != nil || status != test.want {
				t.Errorf("%d bytes: status is %d, %v; want %d", test.length, status, err, test.want)
			}
		}
	}
	if len(r.records) != 2 {
		t.Errorf("%d requests are recorded, want 2", len(r.records))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestDoesNotRecordHalfAMessage(t *testing.T) {
	t.Parallel()
	r := listen(t, receiver.Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || len(answer) > 0 {
		t.Errorf("answer is %q, %v; want none", answer, err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if len(r.records) != 0 {
		t.Errorf("recorded %+v", <-r.records)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, err := receiver.New(receiver.Options{Answer: receiver.Answer{Delay: time.Hour, Status: 202}})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
		if took := time.Since(begun); w.Code != 202 || took != time.Hour {
			t.Errorf("status %d after %v, want 202 after an hour", w.Code, took)
		}
	})
}

func TestDelayEndsWithTheSender(t *testing.T) {
	t.Parallel()
	r := listen(t, receiver.Options{Answer: receiver.Answer{Delay: time.Hour}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, _, err := r.post(ctx, "/", "text/plain", strings.NewReader("x"))
		done <- err
	}()
	<-r.records
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if err := r.Close(t.Context()); err != nil { // waits for the request
		t.Error(err)
	}
}

func TestCloseCutsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	r := listen(t, receiver.Options{Answer: receiver.Answer{Delay: time.Hour}})
	done := make(chan error)
	go func() {
		_, _, err := r.post(t.Context(), "/", "text/plain", strings.NewReader("x"))
		done <- err
	}()
	<-r.records
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	<-r.Done()
	if err := <-done; err == nil {
		t.Error("the request was answered")
	}
	if _, _, err := r.post(t.Context(), "/", "text/plain", strings.NewReader("x")); err == nil {
		t.Error("it serves after Close")
	}
}

func TestServerSaysWhyItEnded(t *testing.T) {
	t.Parallel()
	r, err := receiver.New(receiver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := r.Serve(listener)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	<-server.Done()
	if err := server.Close(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close: %v, want net.ErrClosed", err)
	}
}

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	r, err := receiver.New(receiver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ at, want string }{
		{"", "want a URL such as http://"},
		{"127.0.0.1:8080", "want a URL such as http://"},
		{"http://", "want a URL such as http://"},
		{"http://127.0.0.1:secret", "want a URL such as http://"},
		{"https://127.0.0.1:0", "https is not served here"},
		{"ws://127.0.0.1:0", `scheme "ws" is not served here: want http`},
		{"http://user:secret@127.0.0.1:0", "leave it out"},
		{"http://127.0.0.1:0?secret", "leave it out"},
		{"http://127.0.0.1:0#secret", "leave it out"},
		{"http://127.0.0.1:99999", "invalid port"},
	} {
		server, err := r.Listen(t.Context(), test.at)
		if err == nil {
			t.Errorf("%q: it listens at %s", test.at, server.URL())
			_ = server.Close(t.Context())
			continue
		}
		if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %q", test.at, err, test.want)
		}
	}
}

func TestListenKeepsToItsContext(t *testing.T) {
	t.Parallel()
	r, err := receiver.New(receiver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	server, err := r.Listen(ctx, "http://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	connections := &http.Transport{}
	defer connections.CloseIdleConnections()
	response, err := (&http.Client{Transport: connections}).Get(server.URL())
	if err != nil {
		t.Fatalf("it stopped serving with the context of Listen: %v", err)
	}
	if err := errors.Join(response.Body.Close(), server.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestOptionsNameEachFault(t *testing.T) {
	t.Parallel()
	_, err := receiver.New(receiver.Options{
		Answer:    receiver.Answer{Status: 199, RetryAfter: -1, Delay: -1},
		FailFirst: -1, FailStatus: 600, MaxBody: -1,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{"Status is 199", "RetryAfter", "Delay", "FailFirst", "FailStatus is 600", "MaxBody"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("error %q does not name %s", err, field)
		}
	}
}

func TestManySenders(t *testing.T) {
	t.Parallel()
	var failed atomic.Int64
	r := listen(t, receiver.Options{FailFirst: 10})
	done := make(chan error, 50)
	for range cap(done) {
		go func() {
			status, _, err := r.post(t.Context(), "/", "text/plain", strings.NewReader("x"))
			if status == http.StatusServiceUnavailable {
				failed.Add(1)
			}
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if failed.Load() != 10 || len(r.records) != cap(done) {
		t.Errorf("%d failed and %d are recorded, want 10 and %d", failed.Load(), len(r.records), cap(done))
	}
}

package httpout

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// sink reads requests of one known length and answers each with the same bytes,
// without allocating, so that a benchmark in this process sees the client alone.
type sink struct {
	listener net.Listener
	serving  sync.WaitGroup
}

func newSink(t testing.TB) *sink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{listener: listener}
	s.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.serving.Go(func() { s.serve(conn) })
		}
	})
	return s
}

// serve expects the payload to end with a zero byte and to have no other.
func (s *sink) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT\r\n\r\nok")
	buffer := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		for range bytes.Count(buffer[:n], []byte{0}) {
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}
}

// close is called when the client has closed its connections.
func (s *sink) close() {
	_ = s.listener.Close()
	s.serving.Wait()
}

// payloadOf returns n bytes that end in the only zero.
func payloadOf(n int) []byte { return append(bytes.Repeat([]byte("x"), n-1), 0) }

func benchMessage(t testing.TB, s *sink, p *profile.Profile) *outbound.Message {
	return &outbound.Message{
		Endpoint: parse(t, "http://"+s.listener.Addr().String()+"/inbox"), Payload: payloadOf(1 << 10),
		ContentType: "application/json", Profile: p, ID: transport.NewID(time.Now()), Attempt: 1,
	}
}

func BenchmarkHandleMessage(b *testing.B) {
	s := newSink(b)
	b.Cleanup(s.close)
	tr, m := start(b, Options{MaxConnsPerHost: 64}), benchMessage(b, s, local(b, profile.Options{}))
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := tr.HandleMessage(b.Context(), m); err != nil {
				b.Error(err)
			}
		}
	})
}

// plain posts with net/http alone, written as most would.
type plain struct {
	client  *http.Client
	uri     string
	payload []byte
}

func newPlain(t testing.TB, s *sink) *plain {
	transport := &http.Transport{MaxIdleConns: 200, MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &plain{&http.Client{Transport: transport}, "http://" + s.listener.Addr().String() + "/inbox", payloadOf(1 << 10)}
}

func (p *plain) post(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.uri, bytes.NewReader(p.payload))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// BenchmarkNetHTTP is what BenchmarkHandleMessage is to be compared with.
func BenchmarkNetHTTP(b *testing.B) {
	s := newSink(b)
	b.Cleanup(s.close)
	p := newPlain(b, s)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := p.post(b.Context()); err != nil {
				b.Error(err)
			}
		}
	})
}

// TestAllocations: with all that it adds, an attempt allocates once more than
// net/http alone, at most. Allocations of net/http's two goroutines count as well.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newSink(t)
	t.Cleanup(s.close)
	tr, m, p := start(t, Options{}), benchMessage(t, s, local(t, profile.Options{})), newPlain(t, s)
	alone := testing.AllocsPerRun(2000, func() {
		if err := p.post(t.Context()); err != nil {
			t.Error(err)
		}
	})
	ours := testing.AllocsPerRun(2000, func() {
		if _, err := tr.HandleMessage(t.Context(), m); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%v allocations, %v with net/http alone", ours, alone)
	if ours > alone+1 {
		t.Errorf("%v allocations, %v with net/http alone", ours, alone)
	}
}

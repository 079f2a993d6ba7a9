package httpout

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
	"github.com/outrider-go/outrider/transport/outbound"
)

// The receiver may have acted on the message: the next attempt carries the same
// id.
func TestResetMidResponseIsUnknown(t *testing.T) {
	t.Parallel()
	ids := make(chan string, 2)
	answers := []string{"", "HTTP/1.1 200 OK\r\nContent-Le"}
	var mu sync.Mutex
	address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		request, err := readRequest(in)
		if err != nil {
			return
		}
		ids <- request.Header.Get("Message-Id")
		mu.Lock()
		answer := answers[0]
		answers = answers[1:]
		mu.Unlock()
		_, _ = conn.Write([]byte(answer))
		_ = conn.SetLinger(0)
	})
	tr := start(t, Options{})
	m := message(t, local(t, profile.Options{}), address)
	for range 2 {
		fault := fail(t, t.Context(), tr, m)
		expect(t, fault, transport.Unknown, fault.Code, true)
		if id := <-ids; id != m.ID.String() {
			t.Errorf("the id %s arrived, want %s", id, m.ID)
		}
	}
}

// One POST for one attempt, also where net/http would repeat it: on a connection
// that was used before, with an idempotency key, after the request was written.
func TestNothingIsRepeatedAfterItWasWritten(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		for served := 0; ; served++ {
			request, err := readRequest(in)
			if err != nil {
				return
			}
			mu.Lock()
			seen[request.Header.Get("Message-Id")]++
			mu.Unlock()
			if served == 1 {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		}
	})
	tr, p := start(t, Options{}), local(t, profile.Options{})
	for _, name := range []string{"Idempotency-Key", "x-idempotency-key", "X-Other"} {
		first, second := message(t, p, address), message(t, p, address)
		deliver(t, tr, first)
		second.Metadata = transport.Metadata{name: "k"}
		expect(t, fail(t, t.Context(), tr, second), transport.Unknown, codeConnectionClosed, true)
		mu.Lock()
		if got := seen[second.ID.String()]; got != 1 {
			t.Errorf("with %s it arrived %d times", name, got)
		}
		mu.Unlock()
	}
}

// A pooled connection that the receiver closed meanwhile costs no attempt.
func TestStaleConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 64) // never waits
	address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		if _, err := readRequest(in); err != nil {
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		_ = conn.Close()
		closed <- struct{}{}
	})
	tr, p := start(t, Options{}), local(t, profile.Options{})
	for range 20 {
		m := message(t, p, address)
		m.Metadata = transport.Metadata{"Idempotency-Key": "k"}
		receipt, err := tr.HandleMessage(t.Context(), m)
		// The close may also be seen while the request is being written.
		if fault := faultOf(err); fault != nil {
			expectLost(t, fault)
			continue
		}
		if err != nil || receipt.Code != "204" {
			t.Fatalf("got %+v, %v", receipt, err)
		}
		<-closed
	}
}

func TestTruncatedBodyIsDeliveredWithANote(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ answer, response string }{
		"by length": {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "abc"},
		"chunked":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabc", "abc"},
		"all of it": {"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
				if _, err := readRequest(in); err == nil {
					_, _ = conn.Write([]byte(test.answer))
				}
			})
			replies := 0
			tr := start(t, Options{OnReply: func(context.Context, *outbound.Message, Reply) error { replies++; return nil }})
			receipt := deliver(t, tr, message(t, local(t, profile.Options{}), address))
			if receipt.Note != noteBodyCut || string(receipt.Response) != test.response || receipt.Evidence != transport.Acknowledged {
				t.Errorf("got %+v", receipt)
			}
			if replies != 0 {
				t.Error("a cut reply was handed on")
			}
		})
	}
}

func TestBodyThatNeverEndsIsDeliveredWithANote(t *testing.T) {
	t.Parallel()
	address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		if _, err := readRequest(in); err == nil {
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"))
			_, _ = in.ReadByte() // until the connection is closed
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	receipt, err := start(t, Options{}).HandleMessage(ctx, message(t, local(t, profile.Options{}), address))
	if err != nil || receipt.Note != noteBodyCut || string(receipt.Response) != "abc" {
		t.Errorf("got %+v, %v", receipt, err)
	}
}

func TestHeaderBomb(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"many headers": strings.Repeat("X-A: b\r\n", 20000),
		"one header":   "X-A: " + strings.Repeat("b", 100<<10) + "\r\n",
		"no end":       "X-A: " + strings.Repeat("b", 100<<10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
				if _, err := readRequest(in); err == nil {
					_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n" + header + "\r\n"))
					_, _ = in.ReadByte()
				}
			})
			fault := fail(t, t.Context(), start(t, Options{}), message(t, local(t, profile.Options{}), address))
			expect(t, fault, transport.Unknown, codeBadResponse, true)
		})
	}
}

func TestBodyBomb(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 500} {
		written := make(chan int, 1)
		address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
			if _, err := readRequest(in); err != nil {
				return
			}
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d X\r\nContent-Length: 1073741824\r\n\r\n", status)
			total, block := 0, bytes.Repeat([]byte("x"), 64<<10)
			for {
				n, err := conn.Write(block)
				total += n
				if err != nil {
					written <- total
					return
				}
			}
		})
		tr, m := start(t, Options{}), message(t, local(t, profile.Options{}), address)
		receipt, err := tr.HandleMessage(t.Context(), m)
		response := receipt.Response
		if status == 200 {
			if err != nil || receipt.Note != noteBodyLong {
				t.Errorf("got %+v, %v", receipt, err)
			}
		} else if fault := faultOf(err); fault != nil {
			response = fault.Response
		}
		if len(response) != 1<<10 || cap(response) > 2<<10 {
			t.Errorf("%d: %d bytes are kept in %d", status, len(response), cap(response))
		}
		if got := <-written; got > 16<<20 {
			t.Errorf("%d: the receiver could write %d bytes", status, got)
		}
	}
}

func TestGzipBombStaysPacked(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for range 8 {
		_, _ = w.Write(make([]byte, 1<<20))
	}
	_ = w.Close()
	receiver := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "" {
			t.Errorf("asks for %s", got)
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	})
	tr := start(t, Options{})
	receipt := deliver(t, tr, message(t, local(t, profile.Options{}), receiver.URL))
	if !bytes.HasPrefix(packed.Bytes(), receipt.Response) || len(receipt.Response) != 1<<10 {
		t.Errorf("%d bytes are kept", len(receipt.Response))
	}
	if got := tr.Collector().Snapshot().BytesReceived; got > int64(packed.Len()) {
		t.Errorf("%d bytes were read of %d", got, packed.Len())
	}
}

func TestNotHTTP(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	} {
		address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
			if _, err := readRequest(in); err == nil {
				_, _ = conn.Write([]byte(answer))
				_, _ = in.ReadByte()
			}
		})
		fault := fail(t, t.Context(), start(t, Options{}), message(t, local(t, profile.Options{}), address))
		expect(t, fault, transport.Unknown, codeBadResponse, true)
	}
}

func TestSwitchingProtocolsIsNoDelivery(t *testing.T) {
	t.Parallel()
	address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		if _, err := readRequest(in); err == nil {
			_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"))
			_, _ = in.ReadByte()
		}
	})
	fault := fail(t, t.Context(), start(t, Options{}), message(t, local(t, profile.Options{}), address))
	expect(t, fault, transport.Temporary, "101", true)
}

func TestSlowHeaderIsUnknown(t *testing.T) {
	t.Parallel()
	got := make(chan struct{})
	address := "http://" + fakepeer.Raw(t, func(_ *net.TCPConn, in *bufio.Reader) {
		if _, err := readRequest(in); err == nil {
			close(got)
			_, _ = in.ReadByte()
		}
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() {
		<-got
		cancel(context.DeadlineExceeded)
	}()
	fault := fail(t, ctx, start(t, Options{}), message(t, local(t, profile.Options{}), address))
	expect(t, fault, transport.Unknown, codeTimeout, true)
}

func TestResponseHeaderTimeoutIsUnknown(t *testing.T) {
	t.Parallel()
	address := "http://" + fakepeer.Raw(t, func(_ *net.TCPConn, in *bufio.Reader) {
		if _, err := readRequest(in); err == nil {
			_, _ = in.ReadByte()
		}
	})
	tr := start(t, Options{ResponseHeaderTimeout: 20 * time.Millisecond})
	fault := fail(t, t.Context(), tr, message(t, local(t, profile.Options{}), address))
	expect(t, fault, transport.Unknown, codeTimeout, true)
}

// While the name is looked up nothing can have been sent.
func TestDeadlineBeforeTheConnectionIsTemporary(t *testing.T) {
	t.Parallel()
	resolver := egresstest.NewResolver(t, func(string) egresstest.Answer { return egresstest.Answer{Silent: true} })
	tr := start(t, Options{Egress: egress.Options{Resolver: resolver}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	fault := fail(t, ctx, tr, message(t, local(t, profile.Options{}), "http://receiver.example/"))
	expect(t, fault, transport.Temporary, codeTimeout, false)
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	resolver := egresstest.NewResolver(t, func(name string) egresstest.Answer {
		if name == "nosuch.example" {
			return egresstest.Answer{Code: egresstest.NoSuchName}
		}
		return answerTo("10.1.2.3")
	})
	tr, p := start(t, Options{Egress: egress.Options{Resolver: resolver}}), local(t, profile.Options{})
	for uri, want := range map[string]struct {
		class transport.Class
		code  string
	}{
		"http://" + fakepeer.Nobody(t): {transport.Temporary, "connection_refused"},
		"http://nosuch.example/":       {transport.Temporary, "dns_not_found"},
		"http://private.example/":      {transport.Permanent, egress.CodeBlocked},
		"http://10.1.2.3/":             {transport.Permanent, egress.CodeBlocked},
	} {
		for _, payload := range []string{"x", ""} {
			m := message(t, p, uri)
			m.Payload = []byte(payload)
			expect(t, fail(t, t.Context(), tr, m), want.class, want.code, false)
		}
	}
}

// A receiver may answer before it has read anything, while net/http still
// writes header and body. Neither may be shared with the next attempt.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		if _, err := in.Peek(1); err == nil {
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		}
	})
	tr, p := start(t, Options{}), local(t, profile.Options{})
	shared := transport.Metadata{"x-a": "1", "x-b": "2", "x-c": "3"}
	early := 0
	small, large := make([]byte, 1<<10), make([]byte, 256<<10)
	for i := range 1000 {
		m := message(t, p, address)
		m.Metadata, m.Payload = shared, small
		if i%10 == 0 {
			m.Payload = large
		}
		receipt, err := tr.HandleMessage(t.Context(), m)
		if fault := faultOf(err); fault != nil {
			expectLost(t, fault) // the reset won
			continue
		}
		if string(receipt.Response) == "ok" {
			early++
		}
	}
	if early == 0 {
		t.Error("no early answer was read")
	}
	if len(shared) != 3 {
		t.Errorf("the metadata became %v", shared)
	}
}

func answerTo(addresses ...string) (answer egresstest.Answer) {
	for _, address := range addresses {
		answer.Addresses = append(answer.Addresses, mustAddr(address))
	}
	return answer
}

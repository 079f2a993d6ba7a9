package httpout

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
)

// retryablehttp drops every idle connection after a failure, of all hosts.
func TestOneFailingEndpointLeavesThePoolAlone(t *testing.T) {
	t.Parallel()
	failing := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	for name, bad := range map[string]string{"500": failing.URL, "refused": "http://" + fakepeer.Nobody(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			healthy := serve(t, ok)
			tr, p := start(t, Options{}), local(t, profile.Options{})
			for range 100 {
				_ = fail(t, t.Context(), tr, message(t, p, bad))
				deliver(t, tr, message(t, p, healthy.URL))
			}
			if got := healthy.connections.Load(); got > 2 {
				t.Errorf("100 posts took %d connections", got)
			}
		})
	}
}

func TestSteadyStateOpensNoConnections(t *testing.T) {
	t.Parallel()
	const inFlight = 64
	for name, body := range map[string]string{"no body": "", "small body": "ok", "kept in part": strings.Repeat("x", 8<<10), "as long as allowed": strings.Repeat("x", 64<<10)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var waiting sync.WaitGroup
			waiting.Add(inFlight)
			var warm atomic.Int64
			receiver := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if warm.Add(1) <= inFlight { // so that all connections are made
					waiting.Done()
					waiting.Wait()
				}
				_, _ = io.WriteString(w, body)
			})
			tr, p := start(t, Options{MaxConnsPerHost: inFlight}), local(t, profile.Options{})
			post := func(n int) {
				var posting sync.WaitGroup
				for range inFlight {
					posting.Go(func() {
						for range n {
							if _, err := tr.HandleMessage(t.Context(), message(t, p, receiver.URL)); err != nil {
								t.Error(err)
							}
						}
					})
				}
				posting.Wait()
			}
			post(1)
			before := receiver.connections.Load()
			post(1000/inFlight + 1)
			if got := receiver.connections.Load(); before != inFlight || got != before {
				t.Errorf("%d connections, then %d more", before, got-before)
			}
		})
	}
}

func TestConnectionsPerHostAreBounded(t *testing.T) {
	t.Parallel()
	var open, most atomic.Int64 // a connection that is busy writing may be given up for a new one
	receiver := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for now, seen := open.Add(1), most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		ok(w, r)
		open.Add(-1)
	})
	tr, p := start(t, Options{MaxConnsPerHost: 2}), local(t, profile.Options{})
	var posting sync.WaitGroup
	for range 16 {
		posting.Go(func() {
			for range 10 {
				if _, err := tr.HandleMessage(t.Context(), message(t, p, receiver.URL)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	posting.Wait()
	if got := most.Load(); got > 2 {
		t.Errorf("%d connections at once", got)
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	authority := egresstest.NewAuthority(t)
	for disabled, want := range map[bool]string{false: "HTTP/2.0", true: "HTTP/1.1"} {
		var got atomic.Value
		receiver := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			got.Store(r.Proto)
			if r.URL.Path == "/busy" {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_, _ = io.WriteString(w, "ok")
		})
		receiver.EnableHTTP2 = true
		receiver.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, egresstest.Certificate{})}}
		receiver.StartTLS()
		t.Cleanup(receiver.Close)
		tr, p := start(t, Options{DisableHTTP2: disabled}), local(t, profile.Options{TLS: profile.TLS{CAFile: authority.CAFile}})
		for range 20 {
			receipt := deliver(t, tr, message(t, p, receiver.URL))
			if string(receipt.Response) != "ok" || receipt.Note != "" {
				t.Errorf("got %+v", receipt)
			}
		}
		fault := fail(t, t.Context(), tr, message(t, p, receiver.URL+"/busy"))
		expect(t, fault, transport.Throttled, "503", true)
		if got.Load() != want || receiver.connections.Load() != 1 {
			t.Errorf("HTTP/2 off %v: %v over %d connections", disabled, got.Load(), receiver.connections.Load())
		}
		for _, phase := range []string{"connect", "tls", "first_byte", "total"} {
			if tr.Collector().Snapshot().Metrics[phase].Count == 0 {
				t.Errorf("%s was never timed", phase)
			}
		}
	}
}

func TestTLSErrorsAreTemporary(t *testing.T) {
	t.Parallel()
	authority, other := egresstest.NewAuthority(t), egresstest.NewAuthority(t)
	config := &tls.Config{
		Certificates: []tls.Certificate{authority.Issue(t, egresstest.Certificate{})},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool,
	}
	address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		secured := tls.Server(conn, config)
		if secured.Handshake() != nil {
			_, _ = io.Copy(io.Discard, in) // so that the alert is not lost to a reset
			return
		}
		if _, err := readRequest(bufio.NewReader(secured)); err == nil {
			_, _ = secured.Write([]byte("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
		}
	})
	uri := strings.Replace(address, "http://", "https://", 1)
	good, goodKey := egresstest.WriteFiles(t, t.TempDir(), authority.Issue(t, egresstest.Certificate{}))
	bad, badKey := egresstest.WriteFiles(t, t.TempDir(), other.Issue(t, egresstest.Certificate{}))
	tr := start(t, Options{})
	for name, test := range map[string]struct {
		settings profile.TLS
		code     string // empty: delivered
		atDial   bool
	}{
		"unknown authority":     {profile.TLS{CAFile: other.CAFile}, "tls_certificate", true},
		"missing file":          {profile.TLS{CAFile: "/nosuch/ca.pem"}, "tls_file", true},
		"no client certificate": {profile.TLS{CAFile: authority.CAFile}, codeClientRefused, false},
		"unknown client":        {profile.TLS{CAFile: authority.CAFile, CertFile: bad, KeyFile: badKey}, codeClientRefused, false},
		"client certificate":    {profile.TLS{CAFile: authority.CAFile, CertFile: good, KeyFile: goodKey}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message(t, local(t, profile.Options{TLS: test.settings}), uri)
			if test.code == "" {
				deliver(t, tr, m)
				return
			}
			fault := fail(t, t.Context(), tr, m)
			// The refusal of a client comes after the handshake, and may come before
			// or after the request is written.
			expect(t, fault, transport.Temporary, test.code, fault.MaybeSent && !test.atDial)
		})
	}
}

func TestProfilesHaveTheirOwnTLS(t *testing.T) {
	t.Parallel()
	authority, other := egresstest.NewAuthority(t), egresstest.NewAuthority(t)
	receiver := newReceiver(t, ok)
	receiver.Config.ErrorLog = quiet()
	receiver.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, egresstest.Certificate{})}}
	receiver.StartTLS()
	t.Cleanup(receiver.Close)
	tr := start(t, Options{})
	trusting := local(t, profile.Options{TLS: profile.TLS{CAFile: authority.CAFile}})
	doubting := local(t, profile.Options{TLS: profile.TLS{CAFile: other.CAFile}})
	for range 3 {
		deliver(t, tr, message(t, trusting, receiver.URL))
		expect(t, fail(t, t.Context(), tr, message(t, doubting, receiver.URL)), transport.Temporary, "tls_certificate", false)
	}
}

func TestUnverifiedTLSIsWarnedOf(t *testing.T) {
	t.Parallel()
	receiver := newReceiver(t, ok)
	receiver.StartTLS()
	t.Cleanup(receiver.Close)
	core, logs := observer.New(zap.WarnLevel)
	tr := start(t, Options{Logger: zap.New(core)})
	p := local(t, profile.Options{TLS: profile.TLS{InsecureSkipVerify: true}})
	for range 3 {
		deliver(t, tr, message(t, p, receiver.URL))
	}
	if got := logs.FilterField(zap.String("profile", "tenant")).Len(); got != 1 {
		t.Errorf("%d warnings, want 1", got)
	}
}

func TestPoolsOfReplacedAndUnusedProfilesAreClosed(t *testing.T) {
	t.Parallel()
	pools := newPools(Options{}.withDefaults(), func(string, time.Duration) {})
	begin := time.Now()
	first := local(t, profile.Options{})
	firstPool, err := pools.get(first, begin)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := pools.get(first, begin); again != firstPool {
		t.Error("a second pool for one profile")
	}
	if replaced, _ := pools.get(local(t, profile.Options{}), begin); replaced == firstPool || len(pools.all) != 1 {
		t.Errorf("%d pools after a profile was replaced", len(pools.all))
	}
	for i := range maxPools + 10 {
		p, err := profile.New(fmt.Sprintf("p%d", i), profile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pools.get(p, begin.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if len(pools.all) != maxPools || pools.all["tenant"] != nil || pools.all["p10"] == nil {
		t.Errorf("%d pools are kept", len(pools.all))
	}
	<-pools.abort()
}

func TestProfileThatCannotBeUsedIsTemporary(t *testing.T) {
	t.Parallel()
	p := local(t, profile.Options{Egress: profile.Egress{Proxy: transport.NewSecret("ftp://u:hunter2@proxy")}})
	tr, m := start(t, Options{}), message(t, p, "http://127.0.0.1/")
	if err := tr.CheckMessage(t.Context(), m); err != nil {
		t.Errorf("the message is refused: %v", err)
	}
	fault := fail(t, t.Context(), tr, m)
	if fault.Class != transport.Temporary || fault.MaybeSent || !strings.Contains(fault.Error(), "egress.proxy") || strings.Contains(fault.Error(), "hunter2") {
		t.Errorf("got %v", fault)
	}
}

func TestMessageWithoutAProfile(t *testing.T) {
	t.Parallel()
	tr := start(t, Options{})
	fault := fail(t, t.Context(), tr, message(t, nil, "http://127.0.0.1/"))
	if !errors.Is(fault, egress.ErrBlocked) {
		t.Errorf("got %v", fault)
	}
}

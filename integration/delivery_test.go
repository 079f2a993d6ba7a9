package integration

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
)

// request is what a receiver saw.
type request struct {
	at time.Time
	id string
}

// deliver sends one message over HTTP to a receiver whose nth answer, from 0, is
// given by answer, and returns the requests, the record and its attempts.
func deliver(t *testing.T, answer func(n int, w http.ResponseWriter)) ([]request, queue.Record, []queue.Attempt) {
	t.Helper()
	var mu sync.Mutex
	var requests []request
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n := len(requests)
		requests = append(requests, request{time.Now(), r.Header.Get("Message-Id")})
		mu.Unlock()
		answer(n, w)
	}))
	defer receiver.Close()
	tenant, err := profile.New(profile.DefaultID, profile.Options{
		Egress: profile.Egress{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	manager := startManager(t, tenant)
	endpoint, err := transport.ParseEndpoint(receiver.URL + "/inbox")
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := manager.Send(t.Context(), outbound.Message{Endpoint: endpoint, Payload: []byte("hello"), Profile: tenant})
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	record, err := manager.Get(t.Context(), accepted.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	attempts, err := manager.Attempts(t.Context(), accepted.ID)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return requests, record, attempts
}

func startManager(t *testing.T, tenant *profile.Profile) *outbound.Manager {
	t.Helper()
	profiles, err := profile.NewStatic(tenant)
	if err != nil {
		t.Fatal(err)
	}
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	manager, err := outbound.New(store, outbound.Options{
		Profiles: profiles, Retry: outbound.RetryPolicy{Base: 10 * time.Millisecond, MaxAttempts: 5},
	})
	if err != nil {
		t.Fatal(err)
	}
	driver, err := httpout.New(httpout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.Register(driver); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := manager.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := manager.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return manager
}

func TestResetIsUnknownAndTheRetryCarriesTheSameID(t *testing.T) {
	t.Parallel()
	requests, record, attempts := deliver(t, func(n int, w http.ResponseWriter) {
		if n > 0 {
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 200 O"))
		_ = conn.(*net.TCPConn).SetLinger(0) // close with a reset
		_ = conn.Close()
	})
	if len(requests) != 2 || requests[0].id != record.ID.String() || requests[1].id != requests[0].id {
		t.Errorf("requests = %+v, want two with the id %s", requests, record.ID)
	}
	if record.Result != queue.Delivered || len(attempts) != 2 || attempts[0].Class != transport.Unknown || attempts[1].Class != transport.Success {
		t.Errorf("result %s, attempts %+v", record.Result, attempts)
	}
}

func TestRetryAfterHoldsTheDestination(t *testing.T) {
	t.Parallel()
	requests, record, attempts := deliver(t, func(n int, w http.ResponseWriter) {
		if n == 0 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if record.Result != queue.Delivered || len(requests) != 2 || attempts[0].Class != transport.Throttled || attempts[0].Code != "503" {
		t.Fatalf("result %s, attempts %+v", record.Result, attempts)
	}
	if waited := requests[1].at.Sub(requests[0].at); waited < time.Second {
		t.Errorf("waited %v, want at least a second", waited)
	}
}

func TestRedirectIsNoDelivery(t *testing.T) {
	t.Parallel()
	requests, record, attempts := deliver(t, func(_ int, w http.ResponseWriter) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
	})
	if record.Result != queue.Dead || len(requests) != 5 || record.Evidence == transport.Acknowledged {
		t.Errorf("result %s with evidence %s after %d requests", record.Result, record.Evidence, len(requests))
	}
	if last := attempts[len(attempts)-1]; last.Class != transport.Temporary || last.Code != "302" || !strings.Contains(last.Error, "302") {
		t.Errorf("last attempt = %+v", last)
	}
}

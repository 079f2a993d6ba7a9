package egress_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
)

func answering(addresses ...string) func(string) egresstest.Answer {
	var answer egresstest.Answer
	for _, address := range addresses {
		answer.Addresses = append(answer.Addresses, netip.MustParseAddr(address))
	}
	return func(string) egresstest.Answer { return answer }
}

func TestDialConnectsToAllowedNetwork(t *testing.T) {
	t.Parallel()
	addr, accepted := listen(t)
	_, port, _ := net.SplitHostPort(addr)
	for _, host := range []string{"127.0.0.1", "::ffff:127.0.0.1", "receiver.example"} {
		d := newDialer(t, newProfile(t, profile.Options{}, "127.0.0.0/8"),
			egress.Options{Resolver: egresstest.NewResolver(t, answering("127.0.0.1"))})
		conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		hangUp(t, conn)
	}
	if got := accepted(); got != 3 {
		t.Errorf("%d connections arrived, want 3", got)
	}
}

func TestDialRefusesWhatDNSAnswers(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"127.0.0.1", "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "169.254.169.254", "240.0.0.1", "::1", "::",
		"::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "fec0::1", "fe80::1", "fd00::1", "::127.0.0.1",
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			d := newDialer(t, newProfile(t, profile.Options{}),
				egress.Options{Resolver: egresstest.NewResolver(t, answering(answer))})
			_, err := d.DialContext(t.Context(), "tcp", "receiver.example:80")
			if !errors.Is(err, egress.ErrBlocked) {
				t.Fatalf("got %v", err)
			}
			if class, code := egress.Classify(err); class != transport.Permanent || code != egress.CodeBlocked {
				t.Errorf("classified as %s %s", class, code)
			}
			if networkInText.FindStringSubmatch(err.Error()) == nil {
				t.Errorf("text %q does not say what to add", err)
			}
		})
	}
}

// A name that is public when the endpoint is checked and private when it is
// dialled gets nowhere.
func TestDialRefusesRebinding(t *testing.T) {
	t.Parallel()
	addr, accepted := listen(t)
	_, port, _ := net.SplitHostPort(addr)
	var rebound atomic.Bool
	resolver := egresstest.NewResolver(t, func(string) egresstest.Answer {
		if rebound.Load() {
			return answering("127.0.0.1")("")
		}
		return answering("93.184.216.34")("")
	})
	d := newDialer(t, newProfile(t, profile.Options{}), egress.Options{Resolver: resolver})
	if err := d.CheckEndpoint(endpoint(t, "http://rebind.example:"+port)); err != nil {
		t.Fatal(err)
	}
	before, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example")
	if err != nil || before[0] != netip.MustParseAddr("93.184.216.34") {
		t.Fatalf("looked up %v, %v", before, err)
	}
	rebound.Store(true)
	_, err = d.DialContext(t.Context(), "tcp", "rebind.example:"+port)
	if !errors.Is(err, egress.ErrBlocked) || !strings.Contains(err.Error(), "127.0.0.0/8") {
		t.Errorf("got %v", err)
	}
	if got := accepted(); got != 0 {
		t.Errorf("%d connections arrived", got)
	}
}

func TestDialRefusesOddAddresses(t *testing.T) {
	t.Parallel()
	resolver := egresstest.NewResolver(t, answering("127.0.0.1"))
	d := newDialer(t, newProfile(t, profile.Options{}), egress.Options{Resolver: resolver})
	for _, addr := range []string{
		":80", "0.0.0.0:80", "[::]:80", "2130706433:80", "0x7f.1:80", "127.1:80", "[::1%lo]:80", "[fe80::1%25lo]:80",
		"localhost:80", "receiver.example:0", "receiver.example:65536", "receiver.example:http",
	} {
		_, err := d.DialContext(t.Context(), "tcp", addr)
		if !errors.Is(err, egress.ErrBlocked) {
			t.Errorf("%s: got %v", addr, err)
		}
	}
	for _, network := range []string{"unix", "udp"} {
		if _, err := d.DialContext(t.Context(), network, "93.184.216.34:80"); err == nil {
			t.Errorf("network %s was dialled", network)
		}
	}
}

func TestDialErrorsAreClassified(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer egresstest.Answer
		code   string
	}{
		"no such name":   {egresstest.Answer{Code: egresstest.NoSuchName}, "dns_not_found"},
		"no address":     {egresstest.Answer{}, "dns_not_found"},
		"server failure": {egresstest.Answer{Code: egresstest.ServerFailure}, "dns_temporary"},
		"no answer":      {egresstest.Answer{Silent: true}, "dns_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDialer(t, newProfile(t, profile.Options{}), egress.Options{
					Resolver: egresstest.NewResolver(t, func(string) egresstest.Answer { return test.answer })})
				_, err := d.DialContext(t.Context(), "tcp", "receiver.example:80")
				class, code := egress.Classify(err)
				if class != transport.Temporary || code != test.code {
					t.Errorf("classified as %s %s: %v", class, code, err)
				}
				var dial *egress.DialError
				if !errors.As(err, &dial) || dial.Phase != egress.PhaseDNS || dial.Address != "receiver.example:80" {
					t.Errorf("got %#v", err)
				}
			})
		})
	}
}

func TestDialRefusedConnection(t *testing.T) {
	t.Parallel()
	addr, closed := listen(t)
	closed()
	d := newDialer(t, newProfile(t, profile.Options{}, "127.0.0.0/8"), egress.Options{})
	_, err := d.DialContext(t.Context(), "tcp", addr)
	if class, code := egress.Classify(err); class != transport.Temporary || code != "connection_refused" {
		t.Errorf("classified as %s %s: %v", class, code, err)
	}
}

func TestDialCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := newDialer(t, newProfile(t, profile.Options{}, "127.0.0.0/8"), egress.Options{})
	_, err := d.DialContext(ctx, "tcp", "127.0.0.1:9")
	if _, code := egress.Classify(err); code != "dial_canceled" {
		t.Errorf("classified as %s: %v", code, err)
	}
}

func TestObserveIsToldOfEachPhase(t *testing.T) {
	t.Parallel()
	addr, _ := listen(t)
	_, port, _ := net.SplitHostPort(addr)
	var mu sync.Mutex
	var phases []string
	d := newDialer(t, newProfile(t, profile.Options{}, "127.0.0.0/8"), egress.Options{
		Resolver: egresstest.NewResolver(t, func(name string) egresstest.Answer {
			if name == "receiver.example" {
				return answering("127.0.0.1")("")
			}
			return egresstest.Answer{Code: egresstest.NoSuchName}
		}),
		Observe: func(phase string, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if took <= 0 {
				t.Errorf("%s took %v", phase, took)
			}
			phases = append(phases, phase)
		},
	})
	for _, host := range []string{"receiver.example", "127.0.0.1", "unknown.example"} {
		if conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port)); err == nil {
			_ = conn.Close()
		}
	}
	want := []string{egress.PhaseDNS, egress.PhaseConnect, egress.PhaseConnect, egress.PhaseDNS}
	if !slices.Equal(phases, want) {
		t.Errorf("got %q, want %q", phases, want)
	}
}

func TestNewValidates(t *testing.T) {
	t.Parallel()
	_, err := egress.New(profile.Default(), egress.Options{DialTimeout: -1, HandshakeTimeout: -1})
	if err == nil || !strings.Contains(err.Error(), "dial timeout") || !strings.Contains(err.Error(), "handshake timeout") {
		t.Errorf("got %v", err)
	}
}

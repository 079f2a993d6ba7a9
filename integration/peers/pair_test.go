//go:build unix

package peers

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/internal/verify"
)

// Who knows whom: the one that dials has no address that the other knows. What is
// for it goes by its session, or waits for that.
const (
	listensConfig = `
profiles:
  default:
    inbound:
      tokens: {dials: open-sesame}
    pickup:
      enabled: true
    limits:
      max_pickup_messages: 1000000
      max_pickup_bytes: 1GiB
`
	dialsConfig = `
ws:
  ack: ping
`
)

// party is one agent, in one process after the other, on the same directory.
type party struct {
	*testing.T
	program, dir string
	env          []string
	life         int
	daemon       *verify.Daemon
	door         verify.Door
}

// TestTwoAgents has two agents send each other messages, of which one is killed in
// the middle. Each accepted one arrives, and no more of them twice than were in
// flight. The flag -messages says how many there are.
func TestTwoAgents(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "outrider")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/outrider").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, victim := range []string{"the one that listens", "the one that dials"} {
		t.Run(victim+" is killed", func(t *testing.T) {
			t.Parallel()
			there, here := newLedger(t, "there"), newLedger(t, "here")
			address := fakepeer.Nobody(t)
			listens := newParty(t, program, listensConfig, "OUTRIDER_INBOUND_LISTEN=ws://"+address, "OUTRIDER_INBOUND_FORWARD="+there.url)
			dials := newParty(t, program, dialsConfig, "OUTRIDER_INBOUND_FORWARD="+here.url)
			listens.start()
			dials.start()
			to := agent.SendRequest{Endpoint: "ws://" + address + "/#open-sesame", Metadata: map[string]string{"Return-Route": "all"}}
			back := agent.SendRequest{Recipients: []string{"token:dials"}}
			ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(*messages)*20*time.Millisecond)
			defer cancel()
			began := time.Now()
			dials.sendAll(ctx, there, to, 1) // it is known from now on
			there.await(ctx, 1, nil)
			sending := make(chan struct{})
			go func() {
				defer close(sending)
				dials.sendAll(ctx, there, to, *messages)
			}()
			answering := make(chan struct{})
			go func() {
				defer close(answering)
				listens.sendAll(ctx, here, back, *messages)
			}()
			there.await(ctx, *messages/2, nil)
			if victim == "the one that listens" {
				listens.crash()
			} else {
				dials.crash()
			}
			<-sending
			<-answering
			// It may have nothing to say any more, and comes for what waits.
			poke := func() { dials.sendAll(ctx, there, to, there.sent()+1) }
			here.await(ctx, *messages, poke)
			there.await(ctx, there.sent(), nil)
			took := time.Since(began)
			for _, p := range []*party{listens, dials} {
				if err := p.daemon.Stop(ctx); err != nil {
					t.Error(err)
				}
			}
			there.judge()
			here.judge()
			t.Logf("%d and %d messages in %v, %.0f/s; %d and %d arrived twice", there.sent(), here.sent(), took.Round(time.Millisecond),
				float64(there.sent()+here.sent())/took.Seconds(), there.duplicates(), here.duplicates())
		})
	}
}

func newParty(t *testing.T, program, config string, env ...string) *party {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return &party{T: t, program: program, dir: filepath.Join(dir, "queue"), env: append(env, "OUTRIDER_CONFIG="+file)}
}

// start starts the next process.
func (p *party) start() {
	p.Helper()
	p.life++
	var err error
	p.daemon, err = verify.StartDaemon(p.Context(), verify.DaemonOptions{Program: []string{p.program}, Dir: p.dir, Life: p.life, Env: p.env})
	if err != nil {
		p.Fatal(err)
	}
	daemon := p.daemon
	p.Cleanup(func() {
		_ = daemon.Kill() // it has ended, unless the test has failed
		if p.Failed() {
			p.Logf("life %d said: %s", p.life, daemon.Stderr())
		}
	})
	p.door.Open(p.daemon.Client)
}

// crash kills the process at once, and starts another.
func (p *party) crash() {
	p.Helper()
	p.door.Shut()
	if err := p.daemon.Kill(); err != nil {
		p.Fatal(err)
	}
	p.start()
}

// sendAll sends until a ledger has so many, and repeats each until the agent says
// that it is accepted.
func (p *party) sendAll(ctx context.Context, l *ledger, like agent.SendRequest, goal int) {
	for ctx.Err() == nil {
		lines, names := l.compose(like, goal)
		if len(names) == 0 {
			return
		}
		for ctx.Err() == nil {
			daemon, err := p.door.Wait(ctx)
			if err != nil {
				return
			}
			accepted, err := daemon.SendBatch(ctx, lines())
			if err == nil {
				if len(accepted) != len(names) {
					p.Errorf("%d of %d messages were answered", len(accepted), len(names))
				}
				l.accept(names)
				break
			}
			if refused, ok := errors.AsType[*client.Error](err); ok && refused.Status < http.StatusInternalServerError && refused.Status != http.StatusTooManyRequests {
				p.Errorf("a batch was refused: %v", err)
				return
			}
			pause(ctx, 5*time.Millisecond) // it was killed, or is full
		}
		l.makeRoom(ctx)
	}
}

// pause waits.
func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

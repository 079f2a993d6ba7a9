package cli

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
)

// deadLetters makes a store with so many dead messages, whose destination is paused.
func deadLetters(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "queue")
	store, err := sqlitequeue.Open(t.Context(), dir, sqlitequeue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lane := queue.Lane{Profile: "default", Destination: "http://127.0.0.1:1"}
	batch := make([]queue.Message, n)
	for i := range batch {
		batch[i] = queue.Message{
			ID: store.NewID(), Lane: lane, Endpoint: lane.Destination, URI: transport.NewSecret(lane.Destination), Format: "raw", Payload: []byte("x"),
		}
	}
	if _, err = store.Enqueue(t.Context(), batch); err == nil {
		err = store.SetLane(t.Context(), queue.LaneState{Lane: lane, PausedUntil: queue.Forever})
	}
	if err != nil {
		t.Fatal(err)
	}
	leased, err := store.Lease(t.Context(), queue.LeaseRequest{TTL: time.Hour, Budgets: []queue.Budget{{Lane: lane, Max: n}}}, nil)
	if err != nil || len(leased) != n {
		t.Fatalf("leased %d, %v", len(leased), err)
	}
	outcomes := make([]queue.Outcome, n)
	for i := range leased {
		outcomes[i] = queue.Outcome{LeaseRef: leased[i].Ref(), Verdict: queue.VerdictDead}
	}
	if faults, err := store.Settle(t.Context(), outcomes); faults != nil || err != nil {
		t.Fatal(faults, err)
	}
	if err := store.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestReplayIsInterrupted: what was replayed until then stays so, and the same
// command replays the others.
func TestReplayIsInterrupted(t *testing.T) {
	t.Parallel()
	const all, page = 2500, 1000
	sh, _ := startDaemon(t, "--dir", deadLetters(t, all))
	daemon, err := url.Parse(strings.TrimPrefix(sh.env[0], "OUTRIDER_SERVER="))
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	second := make(chan struct{})
	forward := httputil.NewSingleHostReverseProxy(daemon)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 2 {
			close(second)
			<-r.Context().Done()
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	p := sh.with("OUTRIDER_SERVER="+proxy.URL).start(t, "replay", "--dead")
	<-second
	if code := p.stop(); code != ExitFailure || p.errors() != "outrider: stopped after 1000 replayed messages: interrupted; the same command goes on with the others\n" {
		t.Errorf("interrupted: exit code %d, %q", code, p.errors())
	}
	var stats agent.StatsView
	if sh.json(t, ExitOK, &stats, "stats"); stats.Messages.Pending != page || stats.Messages.Dead != all-page {
		t.Errorf("interrupted: %+v, want %d pending", stats.Messages, page)
	}
	if got := sh.want(t, ExitOK, "replay", "--dead").stdout; got != "replayed 1500 messages\n" {
		t.Errorf("resumed: %q", got)
	}
	var after agent.StatsView
	if sh.json(t, ExitOK, &after, "stats"); after.Messages.Pending != all || after.Messages.Dead != 0 {
		t.Errorf("resumed: %+v, want %d pending", after.Messages, all)
	}
}

// TestProgressInAFile: only what takes minutes shows it there, in a line a minute.
func TestProgressInAFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		c := newConsole(nil, nil, &log, nil)
		for range 130 {
			c.progress("going on")
			<-time.After(time.Second)
		}
		c.progressDone()
		c.progress("something else")
		<-time.After(59 * time.Second)
		c.progress("something else")
		c.progressDone()
		if got, want := log.String(), strings.Repeat("outrider: going on\n", 2); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

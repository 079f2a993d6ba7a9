package cli

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/receiver"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport/outbound"
)

// listening waits until a tail hears events, and reads those it caused.
func listening(t *testing.T, sh shell, tail *process) {
	t.Helper()
	const uri = "http://127.0.0.1:1"
	for {
		sh.want(t, ExitOK, "destinations", "pause", uri)
		sh.want(t, ExitOK, "destinations", "resume", uri)
		select {
		case <-tail.lines:
			sh.want(t, ExitOK, "destinations", "pause", "http://127.0.0.1:2")
			for !strings.Contains(tail.line(t), "127.0.0.1:2") {
			}
			return
		default:
		}
	}
}

func TestCommandsAgainstADaemon(t *testing.T) {
	t.Parallel()
	sh, _ := startDaemon(t, "--in", "http://127.0.0.1:0", "--in-handler", "drop")
	box := openInbox(t, receiver.Options{})
	down := closedPort(t)

	// Delivered.
	var sent agent.MessageView
	sh.json(t, ExitOK, &sent, "send", box.url+"?token=canary", "-d", "payload-canary", "--wait", "20s", "-H", "authorization: canary")
	status := sh.want(t, ExitOK, "status", sent.ID.String()).stdout
	for _, want := range []string{"message   " + sent.ID.String(), "state     delivered", "evidence  acknowledged", "B in all", "ATTEMPT", "success", "200", "token=***"} {
		if !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
	if strings.Contains(status, "canary") {
		t.Errorf("status shows a secret:\n%s", status)
	}

	// Dead, and replayed.
	sh.want(t, ExitNotDelivered, "send", down, "-d", "x", "--retry", "none", "--wait", "20s")
	var dead agent.MessagePage
	sh.json(t, ExitOK, &dead, "list", "--state", "dead")
	if len(dead.Messages) != 1 || dead.Messages[0].Endpoint != down {
		t.Fatalf("dead letters: got %+v, want one", dead)
	}
	deadID := dead.Messages[0].ID.String()
	if got := sh.want(t, ExitOK, "replay", "--dead", "--since", "1h", "--dry-run").stdout; !strings.Contains(got, deadID) || !strings.HasSuffix(got, "1 message would be replayed\n") {
		t.Errorf("replay --dry-run: got\n%s", got)
	}
	var all replayed
	sh.json(t, ExitOK, &all, "replay", "--dead")
	if all.Count != 1 || all.DryRun || len(all.Messages) != 1 || all.Messages[0].Replays != 1 {
		t.Errorf("replay --dead: got %+v, want one message", all)
	}

	// Waiting for a retry, cancelled, and replayed by its id.
	var queued agent.SendResponse
	sh.want(t, ExitOK, "destinations", "pause", down)
	sh.json(t, ExitOK, &queued, "send", down, "-d", "payload-canary")
	if got := sh.want(t, ExitOK, "status", queued.ID.String(), "--payload").stdout; !strings.HasSuffix(got, "\npayload-canary\n") {
		t.Errorf("status --payload: got\n%s", got)
	}
	if got := sh.want(t, ExitOK, "cancel", queued.ID.String()).stdout; got != "cancelled "+queued.ID.String()+"\n" {
		t.Errorf("cancel: got %q", got)
	}
	if got := sh.want(t, ExitFailure, "cancel", queued.ID.String()).stderr; !strings.Contains(got, "cancelled") {
		t.Errorf("cancel again: got %q, want its state", got)
	}
	if got := sh.want(t, ExitOK, "replay", queued.ID.String()).stdout; got != "replayed "+queued.ID.String()+"\n" {
		t.Errorf("replay: got %q", got)
	}

	// Listings.
	got := sh.want(t, ExitOK, "list", "--limit", "1")
	if strings.Count(got.stdout, "\n") != 2 || !strings.Contains(got.stderr, "--cursor ") {
		t.Errorf("list: got\n%s%s", got.stdout, got.stderr)
	}
	cursor := strings.TrimSpace(got.stderr[strings.Index(got.stderr, "--cursor ")+len("--cursor "):])
	if next := sh.want(t, ExitOK, "list", "--cursor", cursor).stdout; strings.Count(next, "\n") != 3 || strings.Contains(next, "canary") {
		t.Errorf("next page: got\n%s", next)
	}

	// Statistics.
	var statistics agent.StatsView
	sh.json(t, ExitOK, &statistics, "stats")
	if statistics.Messages.Delivered != 1 || len(statistics.Transports) == 0 {
		t.Errorf("stats: got %+v", statistics)
	}
	text := sh.want(t, ExitOK, "stats").stdout
	for _, want := range []string{"PENDING", "DELIVERED", "transport http, https", "PHASE", "total", "receiver http://127.0.0.1:", "receiver answers"} {
		if !strings.Contains(text, want) {
			t.Errorf("stats lack %q:\n%s", want, text)
		}
	}
}

// A port that is taken is that of a flag: the right one is named.
func TestServeOnATakenPort(t *testing.T) {
	t.Parallel()
	taken := strings.TrimSuffix(openInbox(t, receiver.Options{}).url, "/inbox")
	serve := []string{"serve", "--memory", "--log-level", "error"}
	for flag, args := range map[string][]string{
		"--api": {"--api", strings.TrimPrefix(taken, "http://")},
		"--in":  {"--api", "127.0.0.1:0", "--in", taken, "--in-handler", "drop"},
	} {
		got := shell{}.want(t, ExitFailure, append(serve, args...)...).stderr
		if !strings.Contains(got, "address already in use") || !strings.Contains(got, "choose another address with "+flag+"\n") {
			t.Errorf("%s: got %q", flag, got)
		}
	}
}

func TestDestinations(t *testing.T) {
	t.Parallel()
	sh, _ := startDaemon(t)
	if got := sh.want(t, ExitOK, "destinations", "list").stdout; got != "no destination is paused or fails\n" {
		t.Errorf("list: got %q", got)
	}
	if got := sh.want(t, ExitOK, "destinations", "pause", "https://example.com/inbox").stdout; got != "paused https://example.com\n" {
		t.Errorf("pause: got %q", got)
	}
	var view agent.DestinationView
	sh.json(t, ExitOK, &view, "destinations", "pause", "https://example.org", "--for", "1h")
	if view.Destination != "https://example.org" || view.PausedUntil.IsZero() {
		t.Errorf("pause for a time: got %+v", view)
	}
	var all agent.DestinationsView
	sh.json(t, ExitOK, &all, "destinations", "list")
	if len(all.Destinations) != 2 {
		t.Errorf("list: got %+v, want two", all)
	}
	table := sh.want(t, ExitOK, "destinations", "list").stdout
	for _, want := range []string{"DESTINATION", "BREAKER", "https://example.com ", "  it is resumed  ", "https://example.org ", "(in 59m"} {
		if !strings.Contains(table, want) {
			t.Errorf("list lacks %q:\n%s", want, table)
		}
	}
	if got := sh.want(t, ExitOK, "destinations", "resume", "https://example.com").stdout; got != "resumed https://example.com\n" {
		t.Errorf("resume: got %q", got)
	}
}

func TestDestinationTest(t *testing.T) {
	t.Parallel()
	sh, _ := startDaemon(t, "--retry", "attempts=3,base=1h")
	up := openInbox(t, receiver.Options{})
	const down = "http://127.0.0.1:1"
	if got := sh.want(t, ExitFailure, "destinations", "test", down).stderr; !strings.Contains(got, "no message waits") {
		t.Errorf("with no message: got %q", got)
	}
	for _, uri := range []string{up.url, down} {
		sh.want(t, ExitOK, "destinations", "pause", uri)
		sh.want(t, ExitOK, "send", uri, "-d", "hello")
	}
	if got := sh.want(t, ExitOK, "destinations", "test", up.url).stdout; !strings.HasPrefix(got, "delivered ") || !strings.Contains(got, ": 200, acknowledged") {
		t.Errorf("of one that works: got %q", got)
	}
	if got := sh.want(t, ExitNotDelivered, "destinations", "test", down).stderr; !strings.Contains(got, "attempt 1 of message") || !strings.Contains(got, "temporary: ") {
		t.Errorf("of one that is down: got %q", got)
	}
	var view agent.DestinationTestView
	sh.json(t, ExitNotDelivered, &view, "destinations", "test", down)
	if view.Attempt != 2 || view.Class != "temporary" || view.Error == "" {
		t.Errorf("as JSON: got %+v", view)
	}
	if got := sh.want(t, ExitOK, "destinations", "list").stdout; !strings.Contains(got, "closed") || !strings.Contains(got, "  2  ") {
		t.Errorf("list: got\n%s", got)
	}
	if got := sh.want(t, ExitOK, "stats").stdout; !strings.Contains(got, "destinations: 1 failing, 0 of them left alone; 2 paused") {
		t.Errorf("stats: got\n%s", got)
	}
}

// What holds a message back is said wherever it is shown, and never as a time that
// is over.
func TestAMessageSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	sh, _ := startDaemon(t)
	const uri = "http://127.0.0.1:1/inbox"
	sh.want(t, ExitOK, "destinations", "pause", uri)
	var sent agent.SendResponse
	sh.json(t, ExitOK, &sent, "send", uri, "-d", "x")
	if got := sh.want(t, ExitOK, "status", sent.ID.String()).stdout; !strings.Contains(got, "waits     its destination is paused until it is resumed\n") || strings.Contains(got, "next  ") {
		t.Errorf("status: got\n%s", got)
	}
	if got := sh.want(t, ExitOK, "list").stdout; !strings.Contains(got, "  paused  ") {
		t.Errorf("list: got\n%s", got)
	}
	got := sh.want(t, ExitNotDelivered, "send", uri, "-d", "x", "--wait", "1ms").stderr
	if !strings.Contains(got, "after 0 attempts; its destination is paused until it is resumed; see: outrider status") {
		t.Errorf("send: got %q", got)
	}
	sh.want(t, ExitOK, "destinations", "pause", uri, "--for", "1h")
	var message agent.MessageView
	sh.json(t, ExitOK, &message, "status", sent.ID.String())
	if message.WaitingFor != outbound.WaitingForResume || !message.WaitingUntil.Equal(message.NextAttemptAt) || time.Until(message.WaitingUntil) < 50*time.Minute {
		t.Errorf("paused for an hour: got %+v", message)
	}
	if got := sh.want(t, ExitOK, "list").stdout; !strings.Contains(got, "  paused, in 59m") {
		t.Errorf("list: got\n%s", got)
	}
	got = sh.want(t, ExitNotDelivered, "send", uri, "-d", "x", "--wait", "1ms").stderr
	if !strings.Contains(got, "its destination is paused until 20") || !strings.Contains(got, " (in 59m") {
		t.Errorf("send: got %q", got)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	sh, _ := startDaemon(t)
	box := openInbox(t, receiver.Options{FailFirst: 1})
	lines, human := sh.start(t, "tail", "--json"), sh.start(t, "tail", "--topic", ".*(destination|outbound-message)::(p|r|d).*")
	listening(t, sh, lines)
	listening(t, sh, human)
	sh.want(t, ExitOK, "send", box.url+"?token=canary", "-d", "canary", "--retry", "attempts=2,base=1ms", "--wait", "20s")

	var topics []string
	for !slices.Contains(topics, "outbound-message::delivered") {
		var e agent.EventView
		line := lines.line(t)
		if err := json.Unmarshal([]byte(line), &e); err != nil || strings.Contains(line, "canary") {
			t.Fatalf("line %q: %v", line, err)
		}
		topics = append(topics, e.Topic)
	}
	for _, want := range []string{"outbound-message::queued_for_delivery", "outbound-message::attempt_failed", "outbound-message::retrying"} {
		if !slices.Contains(topics, want) {
			t.Errorf("topics: got %q, want %s too", topics, want)
		}
	}
	line := human.line(t)
	for !strings.Contains(line, "retrying") {
		line = human.line(t)
	}
	if !strings.Contains(line, "attempt 1, 503, ") || !strings.Contains(line, ", next ") || !strings.Contains(line, "token=***") {
		t.Errorf("retrying: got %q", line)
	}
	if line = human.line(t); !strings.Contains(line, "delivered") || !strings.Contains(line, "attempt 2, 200, acknowledged, ") {
		t.Errorf("delivered: got %q", line)
	}
	if code := lines.stop(); code != ExitOK || lines.errors() != "" {
		t.Errorf("end of tail: exit code %d, stderr %q", code, lines.errors())
	}
}

// TestTailOutlivesItsDaemon: a daemon that is started anew is listened to again.
func TestTailOutlivesItsDaemon(t *testing.T) {
	t.Parallel()
	sh, daemon := startDaemon(t)
	tail := sh.start(t, "tail")
	listening(t, sh, tail)
	if code := daemon.stop(); code != ExitOK {
		t.Fatalf("the daemon ends with %d: %s", code, daemon.errors())
	}
	if got := tail.firstError(t); got != "outrider: the agent ended the event stream: connecting again\n" {
		t.Fatalf("without a daemon, tail says %q", got)
	}
	startDaemon(t, "--api", strings.TrimPrefix(sh.env[0], "OUTRIDER_SERVER=http://"))
	for !strings.Contains(tail.line(t), "missed   ") {
	}
	sh.want(t, ExitOK, "destinations", "pause", "http://127.0.0.1:3")
	for !strings.Contains(tail.line(t), "127.0.0.1:3") {
	}
	if code, said := tail.stop(), tail.errors(); code != ExitOK || !strings.HasSuffix(said, "\noutrider: connected again\n") {
		t.Errorf("end of tail: exit code %d, stderr %q", code, said)
	}
}

func TestDaemonErrors(t *testing.T) {
	t.Parallel()
	sh, _ := startDaemon(t)
	away := shell{env: []string{"OUTRIDER_SERVER=" + strings.TrimSuffix(closedPort(t), "/inbox")}}
	tests := map[string]struct {
		shell shell
		args  []string
		code  int
		want  string
	}{
		"no daemon":           {away, []string{"list"}, ExitFailure, "start a daemon with: outrider serve"},
		"no daemon to send":   {away, []string{"send", "https://example.com", "-d", "x"}, ExitFailure, "outrider serve"},
		"no daemon to tail":   {away, []string{"tail"}, ExitFailure, "outrider serve"},
		"unknown message":     {sh, []string{"status", someID}, ExitNotFound, "no message with this id"},
		"cancel of unknown":   {sh, []string{"cancel", someID}, ExitNotFound, "no message with this id"},
		"replay of unknown":   {sh, []string{"replay", someID}, ExitNotFound, "no message with this id"},
		"unknown state":       {sh, []string{"list", "--state", "lost"}, ExitUsage, "lost"},
		"limit out of range":  {sh, []string{"list", "--limit", "100000"}, ExitUsage, "limit"},
		"since what":          {sh, []string{"replay", "--dead", "--since", "lunch"}, ExitUsage, "since"},
		"pattern":             {sh, []string{"tail", "--topic", "("}, ExitUsage, "topic"},
		"pause of no URI":     {sh, []string{"destinations", "pause", "example.com"}, ExitUsage, "scheme"},
		"token file missing":  {sh, []string{"list", "--token-file", filepath.Join(t.TempDir(), "none")}, ExitFailure, "--token-file"},
		"send without scheme": {sh, []string{"send", "gopher://example.com", "-d", "x"}, ExitUsage, "gopher"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := test.shell.want(t, test.code, test.args...)
			if !strings.Contains(got.stderr, test.want) || strings.Count(got.stderr, "\n") != 1 || got.stdout != "" {
				t.Errorf("stderr: got %q, want %q; stdout: %q", got.stderr, test.want, got.stdout)
			}
		})
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	const token = "canary-token"
	file, config := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, token+"\n")
	other := filepath.Join(t.TempDir(), "other")
	write(t, other, "another")
	write(t, config, "api:\n  token_file: "+file+"\n")
	sh, _ := startDaemon(t, "--config", config)
	empty := filepath.Join(t.TempDir(), "empty")
	write(t, empty, "\n")
	tests := map[string]struct {
		shell shell
		flags []string
		code  int
		want  string
	}{
		"none":        {shell: sh, code: ExitFailure, want: "set OUTRIDER_TOKEN, or use --token-file"},
		"wrong":       {shell: sh.with("OUTRIDER_TOKEN=other"), code: ExitFailure, want: "does not take the token in OUTRIDER_TOKEN"},
		"wrong file":  {shell: sh, flags: []string{"--token-file", other}, code: ExitFailure, want: "does not take the token in " + other},
		"variable":    {shell: sh.with("OUTRIDER_TOKEN=" + token)},
		"file":        {shell: sh, flags: []string{"--token-file", file}},
		"file first":  {shell: sh.with("OUTRIDER_TOKEN=other"), flags: []string{"--token-file", file}},
		"empty file":  {shell: sh, flags: []string{"--token-file", empty}, code: ExitFailure, want: "is empty"},
		"bad  header": {shell: sh.with("OUTRIDER_TOKEN=canary\nx"), code: ExitFailure, want: "header"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := test.shell.want(t, test.code, append([]string{"stats"}, test.flags...)...)
			if !strings.Contains(got.stderr, test.want) || strings.Contains(got.stderr+got.stdout, "canary") {
				t.Errorf("stderr: got %q, want %q and no token", got.stderr, test.want)
			}
		})
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	p := shell{}.start(t, "serve", "--memory", "--api", "127.0.0.1:0", "--allow-private", "--log-level", "warn")
	line := p.line(t)
	url, schemes, ok := strings.Cut(strings.TrimPrefix(line, "outrider ready: api "), ", schemes ")
	if !ok || !strings.Contains(schemes, "http https") || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("ready: got %q", line)
	}
	sh := shell{env: []string{"OUTRIDER_SERVER=" + url}}
	taken := shell{}.want(t, ExitFailure, "serve", "--memory", "--api", strings.TrimPrefix(url, "http://"))
	if !strings.Contains(taken.stderr, "choose another address with --api") {
		t.Errorf("address that is taken: got %q", taken.stderr)
	}
	down := closedPort(t)
	sh.want(t, ExitOK, "destinations", "pause", down)
	sh.want(t, ExitOK, "send", down, "-d", "four")
	if code := p.stop(); code != ExitOK {
		t.Errorf("exit code: got %d, want 0", code)
	}
	stderr := p.errors()
	if !strings.Contains(stderr, "allow_private is on") || !strings.HasSuffix(stderr, "outrider: stopped: 1 message (4 B) left\n") {
		t.Errorf("stderr: got %q, want a warning, and what is left", stderr)
	}
}

func TestServeAsJSON(t *testing.T) {
	t.Parallel()
	_, p := startDaemon(t)
	if code := p.stop(); code != ExitOK {
		t.Errorf("exit code: got %d, want 0", code)
	}
	var end struct {
		Stopped bool           `json:"stopped"`
		Left    map[string]any `json:"left"`
	}
	readJSON(t, p.line(t), &end)
	if !end.Stopped || end.Left["messages"] != 0.0 {
		t.Errorf("end: got %+v", end)
	}
}

func TestServeWithoutAPI(t *testing.T) {
	t.Parallel()
	p := shell{}.start(t, "serve", "--memory", "--api", "off", "--log-level", "error")
	if line := p.line(t); !strings.HasPrefix(line, "outrider ready: api off, schemes ") || !strings.Contains(line, "http https") {
		t.Errorf("ready: got %q", line)
	}
	if code := p.stop(); code != ExitOK || !strings.HasSuffix(p.errors(), "outrider: stopped: nothing is left to deliver\n") {
		t.Errorf("end: exit code %d, stderr %q", code, p.errors())
	}
}

func TestListEmpty(t *testing.T) {
	t.Parallel()
	sh, _ := startDaemon(t)
	var page agent.MessagePage
	sh.json(t, ExitOK, &page, "list", "--state", string(queue.Dead))
	if page.Messages == nil || len(page.Messages) != 0 {
		t.Errorf("list: got %+v, want an empty list", page)
	}
	if got := sh.want(t, ExitOK, "list").stdout; got != "no messages\n" {
		t.Errorf("list: got %q", got)
	}
	if got := sh.want(t, ExitOK, "replay", "--dead").stdout; got != "replayed 0 messages\n" {
		t.Errorf("replay --dead: got %q", got)
	}
}

package cli

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/receiver"
	"github.com/outrider-go/outrider/queue"
)

func TestSendByItself(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "payload")
	write(t, file, "\xff\x00 binary")
	jsonFile := filepath.Join(t.TempDir(), "order.json")
	write(t, jsonFile, `{"a": 1}`)
	tests := map[string]struct {
		flags       []string
		stdin       string
		payload     string
		contentType string
	}{
		"text":            {flags: []string{"-d", "hellö"}, payload: "hellö"},
		"empty":           {flags: []string{"-d", ""}},
		"JSON":            {flags: []string{"-d", `{"a": 1}`, "--content-type", "application/json"}, payload: `{"a": 1}`, contentType: "application/json"},
		"literal JSON":    {flags: []string{"-d", `{"a": 1}`}, payload: `{"a": 1}`, contentType: "application/json"},
		"JSON file":       {flags: []string{"-d", "@" + jsonFile}, payload: `{"a": 1}`, contentType: "application/json"},
		"put off":         {flags: []string{"-d", "later", "--not-before", "1ms"}, payload: "later"},
		"file":            {flags: []string{"-d", "@" + file}, payload: "\xff\x00 binary"},
		"standard input":  {flags: []string{"-d", "@-"}, stdin: "\xfe piped", payload: "\xfe piped"},
		"input as text":   {flags: []string{"-d", "@-", "--text"}, stdin: "piped", payload: "piped"},
		"empty input":     {flags: []string{"-d", "@-"}},
		"all other flags": {flags: []string{"-d", "x", "-H", "x-kind: order", "--ttl", "1m", "--idempotency-key", "k", "--profile", "default", "--wire-format", "raw", "--retry", "none", "--wait", "20s", "--priority", "high", "--ordering-key", "o", "--on-blocked", "skip", "--min-evidence", "acknowledged", "--alternate", "http://127.0.0.1:9/a", "--alternate", "http://127.0.0.1:9/b"}, payload: "x"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := openInbox(t, receiver.Options{})
			args := append([]string{"send", box.url, "--allow-private"}, test.flags...)
			got := shell{stdin: test.stdin}.want(t, ExitOK, args...)
			if !strings.HasPrefix(got.stdout, "delivered ") || !strings.Contains(got.stdout, "acknowledged 200, 1 attempt") || got.stderr != "" {
				t.Errorf("stdout: got %q; stderr: %q", got.stdout, got.stderr)
			}
			arrived := box.received()
			if len(arrived) != 1 || string(arrived[0].Payload) != test.payload {
				t.Fatalf("arrived: got %+v, want the payload %q", arrived, test.payload)
			}
			if test.contentType != "" && arrived[0].ContentType != test.contentType {
				t.Errorf("content type: got %q, want %q", arrived[0].ContentType, test.contentType)
			}
		})
	}
}

func TestSendRetries(t *testing.T) {
	t.Parallel()
	box := openInbox(t, receiver.Options{FailFirst: 2})
	var message agent.MessageView
	shell{}.json(t, ExitOK, &message, "send", box.url, "-d", "x", "--allow-private", "--retry", "attempts=5,base=1ms")
	if message.Result != queue.Delivered || message.AttemptsMade != 3 || len(message.Attempts) != 3 {
		t.Errorf("message: got %+v, want it delivered by the third attempt", message)
	}
	if first := message.Attempts[0]; first.Code != "503" {
		t.Errorf("first attempt: got %+v, want a 503", first)
	}
}

func TestSendIsRefused(t *testing.T) {
	t.Parallel()
	box := openInbox(t, receiver.Options{})
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"private address": {[]string{"send", box.url, "-d", "x"}, ExitUsage, "--allow-private"},
		"unknown scheme":  {[]string{"send", "gopher://example.com/1", "-d", "x"}, ExitUsage, "gopher"},
		"no session":      {[]string{"send", box.url, "-d", "x", "--recipient", "token:alice", "--session-only"}, ExitFailure, "no session"},
		"missing file":    {[]string{"send", box.url, "-d", "@" + filepath.Join(t.TempDir(), "none")}, ExitFailure, "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := shell{}.want(t, test.code, test.args...)
			if !strings.Contains(got.stderr, test.want) || got.stdout != "" {
				t.Errorf("stderr: got %q, want %q; stdout: %q", got.stderr, test.want, got.stdout)
			}
		})
	}
	if n := len(box.received()); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}

// A flag that is refused is a usage error, whoever refuses it.
func TestSendRefusesFlags(t *testing.T) {
	t.Parallel()
	daemon, _ := startDaemon(t)
	for want, flags := range map[string][]string{
		"nobody":              {"--profile", "nobody"},
		"morse":               {"--wire-format", "morse"},
		"low, normal or high": {"--priority", "urgent"},
		"metadata":            {"-H", "bad name: 1"},
	} {
		args := append([]string{"send", closedPort(t), "-d", "x"}, flags...)
		for _, got := range []result{daemon.want(t, ExitUsage, args...), shell{}.want(t, ExitUsage, append(args, "--allow-private")...)} {
			if !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, "see: outrider send --help") || got.stdout != "" {
				t.Errorf("stderr: got %q, want %q; stdout: %q", got.stderr, want, got.stdout)
			}
		}
	}
}

// What needs a daemon, or is needed, is said before anything is sent.
func TestSendRefusesACommandLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"a token for no daemon": {[]string{"http://127.0.0.1:9", "-d", "x", "--token-file", "none"}, "--token-file is for sending through a daemon: name that with --server"},
		"no URI":                {[]string{"-d", "x"}, "URI is missing: give one, or say with --recipient or --session"},
		"an empty URI":          {[]string{"", "-d", "x", "--recipient", "token:alice"}, "endpoint"},
		"two URIs":              {[]string{"http://127.0.0.1:9", "http://127.0.0.1:9", "-d", "x"}, "too many arguments"},
		"no time":               {[]string{"http://127.0.0.1:9", "-d", "x", "--not-before", "tomorrow"}, "--not-before: want a time such as"},
		"a time before now":     {[]string{"http://127.0.0.1:9", "-d", "x", "--not-before", "-1s"}, "--not-before: want a time such as"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (shell{}).want(t, ExitUsage, append([]string{"send"}, test.args...)...).stderr; !strings.Contains(got, test.want) {
				t.Errorf("stderr: got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSendToARecipientWithoutURI(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "outrider.yaml")
	write(t, file, "profiles: {default: {pickup: {enabled: true}}}\n")
	sh, _ := startDaemon(t, "--config", file)
	got := sh.want(t, ExitOK, "send", "-d", "x", "--recipient", "token:alice").stdout
	if !strings.HasPrefix(got, "waiting_for_pickup ") {
		t.Errorf("stdout: got %q", got)
	}
	if got := sh.want(t, ExitFailure, "send", "-d", "x", "--session", "none").stderr; !strings.Contains(got, "session") {
		t.Errorf("stderr: got %q", got)
	}
}

func TestSendNotBefore(t *testing.T) {
	t.Parallel()
	sh, _ := startDaemon(t)
	for name, at := range map[string]string{"instant": time.Now().Add(time.Hour).Format(time.RFC3339), "duration": "1h"} {
		var sent agent.SendResponse
		sh.json(t, ExitOK, &sent, "send", closedPort(t), "-d", "x", "--not-before", at)
		var message agent.MessageView
		sh.json(t, ExitOK, &message, "status", sent.ID.String())
		if left := time.Until(message.NextAttemptAt); left < 50*time.Minute || left > time.Hour {
			t.Errorf("%s: the first attempt is in %v", name, left)
		}
	}
}

func TestSendIsNotDelivered(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		flags []string
		want  string
	}{
		"dead":           {[]string{"--retry", "none"}, "not delivered: dead after 1 attempt: "},
		"no time at all": {[]string{"--wait", "1ns", "--retry", "standard"}, "not delivered within 0 µs"},
		"time has ended": {[]string{"--wait", "200ms", "--retry", "standard"}, "not delivered within 200 ms"},
		"expired":        {[]string{"--ttl", "50ms", "--retry", "standard"}, "not delivered: expired"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"send", closedPort(t), "-d", "x", "--allow-private"}, test.flags...)
			got := shell{}.want(t, ExitNotDelivered, args...)
			if !strings.Contains(got.stderr, test.want) || got.stdout != "" {
				t.Errorf("stderr: got %q, want %q; stdout: %q", got.stderr, test.want, got.stdout)
			}
		})
	}
}

func TestSendIsNotDeliveredAsJSON(t *testing.T) {
	t.Parallel()
	var message agent.MessageView
	shell{}.json(t, ExitNotDelivered, &message, "send", closedPort(t), "-d", "x", "--allow-private", "--retry", "none")
	if message.Result != queue.Dead || message.Status != "undeliverable" || len(message.Attempts) != 1 {
		t.Errorf("message: got %+v, want a dead one", message)
	}
}

func TestSendIsInterrupted(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	p := shell{}.start(t, "send", server.URL, "-d", "x", "--allow-private", "--retry", "none")
	<-arrived
	if code := p.stop(); code != ExitFailure {
		t.Errorf("exit code: got %d, want %d", code, ExitFailure)
	}
	if got := p.errors(); !strings.HasPrefix(got, "outrider: interrupted; message ") || !strings.Contains(got, "without a daemon nothing is kept") {
		t.Errorf("stderr: got %q, want the reason, and that the message is lost", got)
	}
}

// Nobody waits any more, and the daemon goes on: the message is not lost.
func TestSendThroughADaemonIsInterrupted(t *testing.T) {
	t.Parallel()
	sh, _ := startDaemon(t)
	tail := sh.start(t, "tail", "--json")
	listening(t, sh, tail)
	sender := sh.start(t, "send", closedPort(t), "-d", "x", "--wait", "1m", "--json")
	for !strings.Contains(tail.line(t), "retrying") {
	}
	code := sender.stop()
	var sent agent.SendResponse
	readJSON(t, sender.line(t), &sent)
	if got := sender.errors(); code != ExitFailure || !strings.Contains(got, "is queued with the daemon") || !strings.Contains(got, "has ended: interrupted; see: outrider status "+sent.ID.String()) {
		t.Errorf("exit code %d, stderr %q: want where to look", code, got)
	}
	sh.want(t, ExitOK, "status", sent.ID.String())
}

func TestSendThroughDaemon(t *testing.T) {
	t.Parallel()
	sh, _ := startDaemon(t)
	box := openInbox(t, receiver.Options{})

	got := sh.want(t, ExitOK, "send", box.url, "-d", "x", "--idempotency-key", "once")
	if !strings.HasPrefix(got.stdout, "queued_for_delivery ") || got.stderr != "" {
		t.Errorf("stdout: got %q; stderr: %q", got.stdout, got.stderr)
	}
	var again agent.SendResponse
	sh.json(t, ExitOK, &again, "send", box.url, "-d", "x", "--idempotency-key", "once")
	if !again.Duplicate || !strings.Contains(got.stdout, again.ID.String()) {
		t.Errorf("again: got %+v, want a duplicate of %q", again, got.stdout)
	}
	if note := sh.want(t, ExitOK, "send", box.url, "-d", "x", "--idempotency-key", "once"); !strings.Contains(note.stderr, "is known") {
		t.Errorf("stderr: got %q, want a note on the duplicate", note.stderr)
	}
	if got := sh.want(t, ExitOK, "send", box.url, "-d", "y", "--wait", "20s"); !strings.HasPrefix(got.stdout, "delivered ") {
		t.Errorf("stdout: got %q", got.stdout)
	}
	got = sh.want(t, ExitNotDelivered, "send", closedPort(t), "-d", "x", "--wait", "300ms")
	if !strings.Contains(got.stderr, "the next attempt is in") || !strings.Contains(got.stderr, "see: outrider status") {
		t.Errorf("stderr: got %q, want what comes next", got.stderr)
	}
	got = sh.want(t, ExitNotDelivered, "send", closedPort(t), "-d", "x", "--wait", "20s", "--retry", "none")
	if !strings.Contains(got.stderr, "dead after 1 attempt") || !strings.Contains(got.stderr, "see: outrider status") {
		t.Errorf("stderr: got %q, want where to look", got.stderr)
	}
}

// What a daemon would receive must not come to a command that ends with the first
// message of its own: it would be taken, and lost.
func TestSendByItselfReceivesNothing(t *testing.T) {
	t.Parallel()
	daemon := openInbox(t, receiver.Options{}) // has the port that the configuration names
	port := strings.TrimSuffix(daemon.url, "/inbox")
	for name, test := range map[string]struct {
		config, url string
		code        int
		want        string
	}{
		"forward": {"inbound: {listen: [" + port + "], forward: " + daemon.url + "}", daemon.url, ExitOK, "delivered "},
		"print":   {"inbound: {listen: [" + port + "], handler: print}", daemon.url, ExitOK, "delivered "},
		"pickup":  {"profiles: {default: {pickup: {enabled: true, exhausted: true}}}", closedPort(t), ExitNotDelivered, "dead after 1 attempt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "outrider.yaml")
			write(t, file, "allow_private: true\n"+test.config+"\n")
			args := []string{"send", test.url, "-d", "x", "--wait", "20s", "--retry", "none", "--recipient", "somebody"}
			for _, got := range []result{
				shell{}.want(t, test.code, append(args, "--config", file)...),
				shell{env: []string{"OUTRIDER_CONFIG=" + file}}.want(t, test.code, args...),
			} {
				if !strings.Contains(got.stdout+got.stderr, test.want) {
					t.Errorf("got %q %q, want %q", got.stdout, got.stderr, test.want)
				}
			}
		})
	}
}

// A daemon that ends must not look like a message that was not delivered.
func TestSendWhenTheDaemonEnds(t *testing.T) {
	t.Parallel()
	sh, daemon := startDaemon(t)
	tail := sh.start(t, "tail", "--json")
	listening(t, sh, tail)
	sender := sh.start(t, "send", closedPort(t), "-d", "x", "--wait", "1m", "--json")
	for !strings.Contains(tail.line(t), "retrying") {
	}
	daemon.stop()
	<-sender.done
	if sender.code != ExitFailure || !strings.Contains(sender.errors(), "is queued with the daemon") || !strings.Contains(sender.errors(), "see: outrider status ") {
		t.Errorf("exit code %d, stderr %q: want a failure that says so", sender.code, sender.errors())
	}
	var sent agent.SendResponse
	readJSON(t, sender.line(t), &sent)
	if !strings.Contains(sender.errors(), sent.ID.String()) {
		t.Errorf("stdout has %+v, want the message", sent)
	}
}

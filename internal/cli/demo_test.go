package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/receiver"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	began := time.Now()
	got := shell{}.want(t, ExitOK, "demo")
	if got.stderr != "" {
		t.Errorf("stderr: got %q, want nothing", got.stderr)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s, want less than 20 s", took)
	}
	if !strings.HasPrefix(got.stdout, "outrider demo: 18 messages to 6 receivers on this machine") {
		t.Errorf("the first line does not say what it does:\n%s", got.stdout)
	}
	for _, want := range []string{
		"MESSAGE                   DESTINATION  ATTEMPTS  STATUS     EVIDENCE ",
		"order.created             healthy             1  delivered  acknowledged ",
		"sensor.reading            down                4  dead       none                -\n",
		"transport http, https  ", "errors: temporary 14", "transport ws, wss  ", "PHASE",
		"ok      healthy  3 messages: delivered in one attempt each, byte for byte\n",
		"ok      flaky    3 messages: delivered byte for byte, after two answers of 503\n",
		"ok      down     3 messages: dead letters after 4 attempts each\n",
		"ok      socket   3 messages: delivered over one WebSocket, acknowledged by the peer\n",
		"ok      broker   3 messages: accepted by an AMQP broker, and received from it\n",
		"ok      mobile   3 messages: waited for a peer without an address, and picked up in order\n",
		"\nall is as expected, in ",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("output lacks %q:\n%s", want, got.stdout)
		}
	}
	progress, _, _ := strings.Cut(got.stdout, "MESSAGE")
	for what, want := range map[string]int{" retrying ": 2 + 3*3, " dead      ": 3, " waiting   ": 3, "503, again in ": 2} {
		if n := strings.Count(progress, what); n != want {
			t.Errorf("%q is there %d times, want %d:\n%s", what, n, want, got.stdout)
		}
	}
}

func TestDemoAsJSON(t *testing.T) {
	t.Parallel()
	var result demoResult
	shell{}.json(t, ExitOK, &result, "demo")
	if !result.OK || len(result.Messages) != 18 || len(result.Findings) != 6 || len(result.Transports) == 0 || result.ElapsedMS <= 0 {
		t.Errorf("result: got %+v", result)
	}
	if first := result.Messages[0]; first.Name != "order.created" || first.Destination != "healthy" || first.Result != queue.Delivered || first.ID.IsZero() {
		t.Errorf("first message: got %+v", first)
	}
}

func TestDemoIsInterrupted(t *testing.T) {
	t.Parallel()
	p := shell{}.start(t, "demo")
	for !strings.Contains(p.line(t), "retrying") {
	}
	if code := p.stop(); code != ExitFailure || !strings.Contains(p.errors(), "interrupted") {
		t.Errorf("exit code %d, stderr %q: want a failure that says so", code, p.errors())
	}
}

// arrange makes a place with two letters, and lets change spoil what happened to
// them.
func arrange(attempts int, result queue.Result, change func(*place, []*letter)) (*place, []*letter) {
	p := &place{name: "place"}
	var letters []*letter
	for i, text := range []string{"a", "b"} {
		l := &letter{name: text, line: []byte(text), place: p, id: transport.NewSequentialID(time.Now(), uint64(i))}
		l.view = agent.MessageView{ID: l.id, Result: result, Status: "undeliverable", AttemptsMade: attempts}
		if result == queue.Delivered {
			l.view.Evidence = transport.Acknowledged
			p.receive(receiver.Received{Payload: l.line, Headers: map[string]string{demoIDHeader: l.id.String()}})
		}
		letters = append(letters, l)
	}
	// As the flaky place does: one failure for each letter.
	for _, l := range letters {
		l.view.Attempts = []agent.AttemptView{{Class: transport.Temporary, Code: "503"}, {Class: transport.Success, Code: "200"}}
	}
	if change != nil {
		change(p, letters)
	}
	return p, letters
}

func pickedUp(_ *place, letters []*letter) {
	for _, l := range letters {
		l.view.Status = "sent_to_session"
	}
}

func TestDemoChecks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		check    func(*place, []*letter) error
		attempts int
		result   queue.Result
		change   func(*place, []*letter)
		want     string
	}{
		"healthy":         {check: checkHealthy, attempts: 1, result: queue.Delivered},
		"flaky":           {check: checkFlaky, attempts: 2, result: queue.Delivered},
		"down":            {check: checkDown, attempts: demoAttempts, result: queue.Dead},
		"healthy, retry":  {checkHealthy, 2, queue.Delivered, nil, "a took 2 attempts"},
		"healthy, dead":   {checkHealthy, 1, queue.Dead, nil, "a is dead"},
		"healthy, lost":   {checkHealthy, 1, queue.Delivered, func(p *place, _ []*letter) { p.got = p.got[:1] }, "1 of 2 messages came"},
		"healthy, twice":  {checkHealthy, 1, queue.Delivered, func(p *place, _ []*letter) { p.got = append(p.got, p.got[0]) }, "3 requests came"},
		"healthy, bytes":  {checkHealthy, 1, queue.Delivered, func(_ *place, l []*letter) { l[1].line = []byte("c") }, "b arrived with other bytes"},
		"healthy, others": {checkHealthy, 1, queue.Delivered, func(p *place, _ []*letter) { p.got[0].Headers = nil }, "that nobody sent"},
		"healthy, unacknowledged": {checkHealthy, 1, queue.Delivered, func(_ *place, l []*letter) { l[0].view.Evidence = transport.Written },
			"with evidence written"},
		"flaky, no failure": {checkFlaky, 2, queue.Delivered, func(_ *place, l []*letter) { l[0].view.Attempts = l[0].view.Attempts[1:] }, "1 of 3 attempts"},
		"mobile":            {check: checkMobile, attempts: 1, result: queue.Delivered, change: pickedUp},
		"mobile, order": {checkMobile, 1, queue.Delivered, func(p *place, l []*letter) {
			pickedUp(p, l)
			p.got[0], p.got[1] = p.got[1], p.got[0]
		}, "out of order"},
		"socket, twice":   {checkSocket, 1, queue.Delivered, func(p *place, _ []*letter) { p.got = append(p.got, p.got[0]) }, "a came 2 times"},
		"down, delivered": {checkDown, demoAttempts, queue.Delivered, nil, "a is delivered"},
		"down, too early": {checkDown, 1, queue.Dead, nil, "after 1 attempts"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.check(arrange(test.attempts, test.result, test.change))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("error: got %v, want none", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error: got %v, want %q", err, test.want)
			}
		})
	}
}

func TestDemoReportsWhatIsUnexpected(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{false, true} {
		var out strings.Builder
		d := &demo{console: newConsole(nil, &out, nil, nil), json: asJSON}
		err := d.report([]finding{{Place: "healthy", Expect: "fine", OK: true}, {Place: "down", Expect: "dead", Fault: "it lives"}})
		if exitCode(err) != ExitFailure {
			t.Errorf("error: got %v, want a failure", err)
		}
		if got := out.String(); !strings.Contains(got, "it lives") || !asJSON && !strings.Contains(got, "FAILED  down     dead: it lives") {
			t.Errorf("output: got\n%s", got)
		}
	}
}

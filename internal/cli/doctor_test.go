package cli

import (
	"strings"
	"testing"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/amqppeer"
)

func startBroker(t *testing.T, options amqppeer.Options) string {
	t.Helper()
	peer, err := amqppeer.Listen(t.Context(), "", options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(peer.Close)
	return peer.Addr()
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	address := startBroker(t, amqppeer.Options{
		ContainerID: "broker-1", Capabilities: amqppeer.Symbols{"ANONYMOUS-RELAY"}, MaxMessage: 4096,
		Users: map[string]string{"alice": "canary"}, Mechanisms: []string{"PLAIN"},
	})
	uri := "amqp://alice:canary@" + address + "/q1"
	got := shell{}.want(t, ExitOK, "doctor", uri, "--allow-private")
	for _, want := range []string{"node          q1\n", "sasl          PLAIN\n", "container     broker-1\n", "capabilities  ANONYMOUS-RELAY\n", "max message   4096\n", "ok: messages can be sent"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("output lacks %q:\n%s", want, got.stdout)
		}
	}
	var p agent.Probe
	shell{}.json(t, ExitOK, &p, "doctor", uri, "--allow-private")
	if !p.OK || p.Node != "q1" || p.Credit == 0 || len(p.Phases) < 3 || strings.Contains(got.stdout+p.Endpoint, "canary") {
		t.Errorf("probe: %+v", p)
	}
}

func TestDoctorSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options amqppeer.Options
		user    string
		query   string
		flags   []string
		code    int
		want    []string
	}{
		"AMQP 0-9-1":   {options: amqppeer.Options{Greeting: []byte("AMQP\x00\x00\x09\x01")}, code: ExitFailure, want: []string{"0-9-1", "1.0 port"}},
		"password":     {options: amqppeer.Options{Users: map[string]string{"alice": "secret"}}, user: "alice:canary@", code: ExitFailure, want: []string{"authentication failed", "check user name"}},
		"no such node": {options: amqppeer.Options{Refuse: func(string) *amqppeer.Error { return &amqppeer.Error{Condition: "amqp:not-found"} }}, code: ExitFailure, want: []string{"amqp:not-found", "check the address"}},
		"no credit":    {options: amqppeer.Options{Credit: -1}, code: ExitOK, want: []string{"0 messages", "until it gives credit"}},
		"an option":    {query: "?durabilty=none", code: ExitUsage, want: []string{"durabilty", "durability"}},
		"no profile":   {flags: []string{"--profile", "nobody"}, code: ExitUsage, want: []string{"nobody"}},
		"no time":      {flags: []string{"--timeout", "-1s"}, code: ExitFailure, want: []string{"does not answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := startBroker(t, test.options)
			got := shell{}.want(t, test.code, append([]string{"doctor", "amqp://" + test.user + address + "/q" + test.query, "--allow-private"}, test.flags...)...)
			for _, want := range test.want {
				if test.code != ExitOK && strings.Contains(got.stdout, want) {
					t.Errorf("stdout repeats the error on stderr, %q:\n%s", want, got.stdout)
				}
				if !strings.Contains(got.stdout+got.stderr, want) || strings.Contains(got.stdout+got.stderr, "canary") {
					t.Errorf("output lacks %q:\n%s%s", want, got.stdout, got.stderr)
				}
			}
		})
	}
}

// TestDoctorAttachesAsMessagesWould: RabbitMQ makes a queue by what the link says.
func TestDoctorAttachesAsMessagesWould(t *testing.T) {
	t.Parallel()
	targets := make(chan any, 1)
	address := startBroker(t, amqppeer.Options{Script: func(_ *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code == amqppeer.Attach {
			targets <- f.Field(6)
		}
		return false
	}})
	shell{}.want(t, ExitOK, "doctor", "amqp://"+address+"/q?durability=unsettled-state", "--allow-private")
	described, _ := (<-targets).(amqppeer.Described)
	if fields, _ := described.Value.([]any); len(fields) < 2 || fields[0] != "q" || fields[1] != uint32(2) {
		t.Errorf("target %v", described)
	}
}

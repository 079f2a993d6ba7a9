package cli

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// printed returns what write prints, without and with colour.
func printed(t *testing.T, write func(*console) error) (plain, coloured string) {
	t.Helper()
	outputs := [2]string{}
	for i := range outputs {
		var b strings.Builder
		c := newConsole(nil, &b, &b, nil)
		c.style.colour = i == 1
		if err := write(c); err != nil {
			t.Fatal(err)
		}
		outputs[i] = b.String()
	}
	return outputs[0], outputs[1]
}

var testTime = time.Date(2026, 3, 2, 9, 14, 7, 0, time.UTC)

func testID(t *testing.T) transport.ID {
	t.Helper()
	id, err := transport.ParseID(someID)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestWriteMessages(t *testing.T) {
	t.Parallel()
	messages := []agent.MessageView{
		{ID: testID(t), State: "retry", AttemptsMade: 2, Endpoint: "https://example.com/a?k=***", CreatedAt: testTime.Add(-time.Hour), NextAttemptAt: testTime.Add(20 * time.Second), LastError: "503\x1b[2J"},
		{ID: testID(t), State: "done", Result: "delivered", AttemptsMade: 1, Evidence: transport.Acknowledged, Endpoint: "https://example.com/b", CreatedAt: testTime},
	}
	plain, coloured := printed(t, func(c *console) error { return writeMessages(c, messages, testTime) })
	const want = `ID                                    STATE      ATTEMPTS  EVIDENCE      CREATED   NEXT       ENDPOINT                     LAST ERROR
0198c0de-5b1e-7abc-8def-0123456789ab  retry             2  none          1h0m ago  in 20.0 s  https://example.com/a?k=***  503 [2J
0198c0de-5b1e-7abc-8def-0123456789ab  delivered         1  acknowledged  now       -          https://example.com/b        -
`
	if plain != want {
		t.Errorf("got\n%s\nwant\n%s", plain, want)
	}
	if !strings.Contains(coloured, "\x1b[32mdelivered\x1b[0m") || !strings.Contains(coloured, "\x1b[33mretry\x1b[0m") {
		t.Errorf("coloured: got\n%q", coloured)
	}
}

func TestWriteMessageWithAlternates(t *testing.T) {
	t.Parallel()
	m := agent.MessageView{
		ID: testID(t), Status: "queued_for_delivery", State: "retry", Endpoint: "https://b.example/", Alternates: []string{"https://a.example/", "https://c.example/?k=***"},
		Profile: "default", WireFormat: "raw", Bytes: 5, Priority: queue.PriorityHigh, OrderingKey: "cart\x1b-1", OnBlocked: outbound.BlockedSkip,
		MinEvidence: transport.Acknowledged, CreatedAt: testTime, UpdatedAt: testTime,
		Attempts: []agent.AttemptView{{N: 1, Class: transport.Permanent, Code: "410", Endpoint: "https://a.example/"}},
	}
	plain, _ := printed(t, func(c *console) error { return writeMessage(c, &m, testTime) })
	for _, want := range []string{
		"endpoint  https://b.example/\nor to     https://a.example/, https://c.example/?k=***\n", "priority  high\n",
		"order     cart -1, those behind it do not wait for its retries\n", "demands   acknowledged\n",
		"ERROR OR NOTE  ENDPOINT\n", "https://a.example/\n",
	} {
		if !strings.Contains(plain, want) {
			t.Errorf("got\n%s\nwant in it %q", plain, want)
		}
	}
	m = agent.MessageView{ID: m.ID, State: "pending", Endpoint: "https://b.example/", Attempts: []agent.AttemptView{{N: 1}}}
	plain, _ = printed(t, func(c *console) error { return writeMessage(c, &m, testTime) })
	for _, unwanted := range []string{"or to", "priority", "order", "demands", "ENDPOINT"} {
		if strings.Contains(plain, unwanted) {
			t.Errorf("got\n%s\nnot wanted in it: %q", plain, unwanted)
		}
	}
}

// What its sender was told last must not contradict how a message has ended.
func TestState(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]agent.MessageView{
		"pending, queued_for_delivery": {State: "pending", Status: "queued_for_delivery"},
		"pending, waiting_for_pickup":  {State: "pending", Status: "waiting_for_pickup"},
		"delivered":                    {State: "done", Result: "delivered", Status: "queued_for_delivery"},
		"cancelled":                    {State: "done", Result: "cancelled", Status: "waiting_for_pickup"},
		"delivered, sent_to_session":   {State: "done", Result: "delivered", Status: "sent_to_session"},
		"dead, undeliverable":          {State: "done", Result: "dead", Status: "undeliverable"},
	} {
		if got := state(style{}, &m); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	until := testTime.Add(20 * time.Second)
	for _, test := range []struct {
		message    agent.MessageView
		long, next string
	}{
		{agent.MessageView{}, "", ""},
		{agent.MessageView{NextAttemptAt: testTime.Add(-time.Hour)}, "", "now"},
		{agent.MessageView{NextAttemptAt: until}, "", "in 20.0 s"},
		{agent.MessageView{WaitingFor: outbound.WaitingForResume}, "its destination is paused until it is resumed", "paused"},
		{agent.MessageView{WaitingFor: outbound.WaitingForResume, WaitingUntil: until, NextAttemptAt: until}, "its destination is paused until " + instant(until, testTime), "paused, in 20.0 s"},
		{agent.MessageView{WaitingFor: outbound.WaitingForRecovery, WaitingUntil: until, NextAttemptAt: until}, "its destination fails, and is left alone until " + instant(until, testTime), "failing, in 20.0 s"},
		{agent.MessageView{WaitingFor: outbound.WaitingForRecovery}, "its destination fails, and another message is attempted first", "failing"},
		{agent.MessageView{WaitingFor: outbound.WaitingForRate}, "its destination has had the attempts that its rate allows", "rate"},
		{agent.MessageView{WaitingFor: outbound.WaitingForRecipient}, "its recipient is away", "recipient away"},
		{agent.MessageView{WaitingFor: outbound.WaitingForTurn}, "another message with its ordering key is before it", "behind another"},
		{agent.MessageView{WaitingFor: "full_moon"}, "full_moon", "full_moon"},
	} {
		if long, next := waits(&test.message, testTime), nextCell(&test.message, testTime); long != test.long || next != test.next {
			t.Errorf("%+v: got %q and %q, want %q and %q", test.message, long, next, test.long, test.next)
		}
	}
}

func TestWriteResponses(t *testing.T) {
	t.Parallel()
	attempts := []agent.AttemptView{{N: 1, Response: "busy\x1b[2J\nlater"}, {N: 2}, {N: 3, Response: "gone"}}
	plain, _ := printed(t, func(c *console) error { return writeResponses(c, attempts) })
	if want := "\nanswer to attempt 1:\nbusy [2J\nlater\n\nanswer to attempt 3:\ngone\n"; plain != want {
		t.Errorf("got %q, want %q", plain, want)
	}
}

func TestWriteEvent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 14, 7, 0, time.Local)
	tests := map[string]struct {
		topic   string
		payload any
		want    string
	}{
		"message": {"acapy::outbound-message::retrying", outbound.MessageEvent{
			ID: testID(t), Endpoint: "http://example.com", Attempt: 2, Code: "503", Error: "unavail\x1bable", NextAt: at.Add(time.Second),
		}, "09:14:07.000  retrying                0198c0de-5b1e-7abc-8def-0123456789ab  http://example.com  attempt 2, 503, unavail able, next in 1.0 s\n"},
		"fail-over": {"outbound-message::failed_over", outbound.MessageEvent{
			ID: testID(t), Endpoint: "http://a.example", Attempt: 1, Code: "410", NextEndpoint: "http://b.example", NextAt: at,
		}, "09:14:07.000  failed_over             0198c0de-5b1e-7abc-8def-0123456789ab  http://a.example  attempt 1, 410, next to http://b.example, next now\n"},
		"transport": {"transport::started", outbound.TransportEvent{Transport: "http", Schemes: []string{"http", "https"}},
			"09:14:07.000  transport::started      http https\n"},
		"destination": {"destination::paused", outbound.DestinationEvent{Destination: "http://example.com", Reason: "busy"},
			"09:14:07.000  destination::paused     http://example.com  busy\n"},
		"failing": {"destination::failing", outbound.DestinationEvent{
			Destination: "http://example.com", Percent: 50, Failures: 12, Error: "refused",
		}, "09:14:07.000  destination::failing    http://example.com  refused, 12 failures in a row, 50 % of the failure budget\n"},
		"missed events": {"missed", agent.MissedView{Count: 2}, "09:14:07.000  missed                    2 events that the daemon no longer knows: see outrider list\n"},
		"a restart":     {"missed", agent.MissedView{}, "09:14:07.000  missed                    the daemon was started anew: see outrider list\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			payload, err := json.Marshal(test.payload)
			if err != nil {
				t.Fatal(err)
			}
			plain, _ := printed(t, func(c *console) error {
				return writeEvent(c, &agent.EventView{Topic: test.topic, Time: at, Payload: payload})
			})
			if plain != test.want {
				t.Errorf("got\n%q\nwant\n%q", plain, test.want)
			}
		})
	}
}

func TestWriteEventOfAnotherKind(t *testing.T) {
	t.Parallel()
	c := newConsole(nil, nil, nil, nil)
	if err := writeEvent(c, &agent.EventView{Topic: "x", Payload: json.RawMessage(`"text"`)}); err == nil {
		t.Error("a payload that is not an object passed")
	}
}

func TestPhasesAreInOrder(t *testing.T) {
	t.Parallel()
	metrics := map[string]stats.Summary{}
	for _, name := range []string{"total", "tls", "write", "dns", "queued", "first_byte", "connect", "other"} {
		metrics[name] = stats.Summary{}
	}
	want := []string{"queued", "dns", "connect", "tls", "other", "write", "first_byte", "total"}
	if got := inOrder(metrics); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzOneLine(f *testing.F) {
	for _, seed := range []string{"", "a\nb", "\x1b[2J", "\u0085\u2028", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range clip(text, 20) + oneLine(text) {
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				t.Errorf("%q keeps the control character %q", text, r)
			}
		}
		if n := len([]rune(clip(text, 20))); n > 20 {
			t.Errorf("%q is clipped to %d characters", text, n)
		}
	})
}

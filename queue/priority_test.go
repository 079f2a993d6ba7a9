package queue_test

import (
	"testing"

	"github.com/outrider-go/outrider/queue"
)

func TestPriorityText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]queue.Priority{
		"low": queue.PriorityLow, "normal": queue.PriorityNormal, "high": queue.PriorityHigh,
	} {
		var got queue.Priority
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q reads as %v, %v", text, got, err)
		}
		if got.String() != text || !got.Valid() {
			t.Errorf("%d writes as %q, valid %v", got, got, got.Valid())
		}
	}
	for _, text := range []string{"", "High", "2", "highest"} {
		got := queue.PriorityHigh
		if err := got.UnmarshalText([]byte(text)); err == nil || got != queue.PriorityHigh {
			t.Errorf("%q reads as %v, %v", text, got, err)
		}
	}
	if p := queue.Priority(5); p.Valid() || p.String() != "priority(5)" {
		t.Errorf("5 is valid %v and writes as %q", p.Valid(), p)
	}
}

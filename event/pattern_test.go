package event_test

import (
	"errors"
	"testing"

	"github.com/outrider-go/outrider/event"
)

// TestPatternMatchesWholeTopics: as a subscription with it does.
func TestPatternMatchesWholeTopics(t *testing.T) {
	t.Parallel()
	pattern, err := event.ParsePattern("a|a::(b|c)")
	if err != nil || pattern.String() != "a|a::(b|c)" {
		t.Fatalf("%v: %v", pattern, err)
	}
	for topic, want := range map[string]bool{"a": true, "a::b": true, "a::d": false, "": false, "xa": false, "a::c::a": false} {
		if pattern.Match(topic) != want {
			t.Errorf("%q matches: %v", topic, !want)
		}
	}
	for _, text := range []string{"", "("} {
		if _, err := event.ParsePattern(text); !errors.Is(err, event.ErrPattern) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

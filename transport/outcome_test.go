package transport_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport"
)

func TestEvidenceText(t *testing.T) {
	t.Parallel()
	for evidence, want := range map[transport.Evidence]string{
		transport.None: "none", transport.Written: "written", transport.Acknowledged: "acknowledged", transport.Accepted: "accepted",
	} {
		text, err := evidence.MarshalText()
		if err != nil || string(text) != want || evidence.String() != want {
			t.Errorf("%d: %s, %q, %v; want %s", evidence, evidence, text, err, want)
		}
		got := transport.Evidence(99)
		if err := got.UnmarshalText(text); err != nil || got != evidence {
			t.Errorf("%s was read as %v, %v", text, got, err)
		}
	}
}

func TestEvidenceOrder(t *testing.T) {
	t.Parallel()
	order := []transport.Evidence{transport.None, transport.Written, transport.Acknowledged, transport.Accepted}
	for i := 1; i < len(order); i++ {
		if order[i-1] >= order[i] {
			t.Errorf("%v is not weaker than %v", order[i-1], order[i])
		}
	}
	var zero transport.Evidence
	if zero != transport.None {
		t.Errorf("the zero value is %v", zero)
	}
}

func TestEvidenceUnknown(t *testing.T) {
	t.Parallel()
	if got := transport.Evidence(200).String(); got != "evidence(200)" {
		t.Errorf("got %q", got)
	}
	for _, text := range []string{"", "None", "evidence(200)", "acknowledged "} {
		got := transport.Written
		if err := got.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "want none, written") || got != transport.Written {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestOutcomeJSON(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Class    transport.Class    `json:"class"`
		Evidence transport.Evidence `json:"evidence"`
	}
	const want = `{"class":"success","evidence":"accepted"}`
	text, err := json.Marshal(outcome{transport.Success, transport.Accepted})
	if err != nil || string(text) != want {
		t.Errorf("wrote %s, %v", text, err)
	}
	var got outcome
	if err := json.Unmarshal(text, &got); err != nil || got.Class != transport.Success || got.Evidence != transport.Accepted {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestClassesKeepTheirText(t *testing.T) {
	t.Parallel()
	for class, want := range map[transport.Class]string{ // stores and metrics hold these
		transport.Success: "success", transport.Permanent: "permanent", transport.Temporary: "temporary",
		transport.Throttled: "throttled", transport.Unknown: "unknown",
	} {
		if string(class) != want {
			t.Errorf("%q, want %q", class, want)
		}
	}
}

package outboundtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// Features say what the transport under test can do. A case for what it cannot
// do is skipped, and says so.
type Features struct {
	// Evidence of a delivery to the healthy peer. Required.
	Evidence transport.Evidence
	// Metadata arrives beside the payload.
	Metadata bool
	// ID arrives beside the payload, the same on each attempt.
	ID bool
	// ContentType arrives beside the payload.
	ContentType bool
	// APIKey arrives: the one after the endpoint's "#".
	APIKey bool
	// Text says that the peer can tell text from bytes.
	Text bool
	// MaxPayload is the longest payload it takes, in bytes, at least 1024; a longer
	// one is refused before anything is sent. Default: no limit.
	MaxPayload int
	// Patience is how long a case waits for what must happen. Default: 10 s.
	Patience time.Duration
}

func (f Features) withDefaults() (Features, error) {
	if f.Patience == 0 {
		f.Patience = 10 * time.Second
	}
	if f.Evidence == transport.None {
		return f, errors.New("outboundtest: Features.Evidence is none: say what a delivery proves")
	}
	return f, nil
}

// testCase is one case of the suite. It returns what is wrong, so that the
// suite's own tests can see a broken transport fail.
type testCase struct {
	name string
	// needs returns what the case cannot do without and is not there.
	needs func(Features, Harness) string
	// unstarted: the case starts and stops the transport itself.
	unstarted bool
	// alone: the case counts goroutines and nothing may run beside it.
	alone bool
	run   func(ctx context.Context, b *bench) error
}

var cases = [...]testCase{
	{name: "start and stop", unstarted: true, run: startsAndStops},
	{name: "gives everything back", unstarted: true, alone: true, run: givesEverythingBack},
	{name: "hard stop", unstarted: true, needs: reached, run: endsOnHardStop},
	{name: "stop during an attempt", unstarted: true, needs: reached, run: stopsDuringAnAttempt},

	{name: "schemes", run: namesItsSchemes},
	{name: "collector", run: counts},
	{name: "payloads", run: deliversPayloads},
	{name: "metadata", needs: feature("Metadata", func(f Features) bool { return f.Metadata }), run: deliversMetadata},
	{name: "id on each attempt", needs: feature("ID", func(f Features) bool { return f.ID }), run: deliversID},
	{name: "API key", needs: feature("APIKey", func(f Features) bool { return f.APIKey }), run: deliversAPIKey},
	{name: "64 goroutines", run: deliversFromManyGoroutines},
	{name: "changes nothing", run: changesNothing},
	{name: "checker takes what it can deliver", run: checks},

	{name: "refused", needs: peer("Refusing"), run: classifiesRefusal},
	{name: "failing", needs: peer("Failing"), run: classifiesFailure},
	{name: "dropping", needs: peer("Dropping"), run: claimsNothingOfDropped},
	{name: "nothing listens", run: classifiesDown},
	{name: "foreign endpoint", run: refusesForeignEndpoints},
	{name: "payload too long", needs: feature("MaxPayload", func(f Features) bool { return f.MaxPayload > 0 }), run: refusesLongPayload},
	{name: "cancelled before", run: sendsNothingWhenCancelled},
	{name: "cancelled while the peer hangs", needs: reached, run: endsWhenCancelled},
	{name: "deadline while the peer hangs", needs: peer("Hanging"), run: endsAtDeadline},
	{name: "secrets", run: keepsSecrets},
}

// Run checks the transport that newHarness makes.
func Run(t *testing.T, newHarness func(t *testing.T) Harness, features Features) {
	t.Helper()
	features, err := features.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !c.alone {
				t.Parallel()
			}
			missing, err := c.check(t.Context(), func() Harness { return newHarness(t) }, features)
			if missing != "" {
				t.Skip("without " + missing)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// check runs the case, or returns what is missing for it.
func (c testCase) check(ctx context.Context, newHarness func() Harness, features Features) (missing string, err error) {
	goroutines := countGoroutines()
	b, err := newBench(newHarness(), features)
	if err != nil {
		return "", err
	}
	if c.needs != nil {
		missing = c.needs(features, b.Harness)
	}
	if missing == "" {
		err = c.runOn(ctx, b)
	}
	b.close()
	if missing == "" && err == nil && c.alone {
		err = goroutines.wait(ctx, features.Patience)
	}
	return missing, err
}

func (c testCase) runOn(ctx context.Context, b *bench) error {
	if c.unstarted {
		return c.run(ctx, b)
	}
	start, hardStop := context.WithCancel(ctx)
	defer hardStop()
	if err := b.Transport.Start(start); err != nil {
		return fmt.Errorf("Start: %w", err)
	}
	return errors.Join(c.run(ctx, b), b.stop(ctx))
}

func feature(name string, has func(Features) bool) func(Features, Harness) string {
	return func(f Features, _ Harness) string {
		if has(f) {
			return ""
		}
		return "Features." + name
	}
}

func peer(name string) func(Features, Harness) string {
	return func(_ Features, h Harness) string {
		peers := map[string]transport.Endpoint{"Refusing": h.Refusing, "Failing": h.Failing, "Hanging": h.Hanging, "Dropping": h.Dropping}
		if !peers[name].IsZero() {
			return ""
		}
		return "Harness." + name
	}
}

func reached(_ Features, h Harness) string {
	if h.Hanging.IsZero() || h.Reached == nil {
		return "Harness.Hanging and Harness.Reached"
	}
	return ""
}

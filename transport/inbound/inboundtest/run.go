package inboundtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// testCase is one case of the suite. It returns what is wrong, so that the suite's
// own tests can see a broken transport fail.
type testCase struct {
	name string
	// needs returns what the case cannot do without and is not there.
	needs func(Features) string
	// alone: the case counts goroutines and nothing may run beside it.
	alone bool
	run   func(ctx context.Context, b *bench) error
}

var cases = [...]testCase{
	{name: "start and stop", run: startsAndStops},
	{name: "gives everything back", alone: true, run: givesEverythingBack},
	{name: "hard stop", run: endsOnHardStop},
	{name: "stop lets handlers end", run: stopWaitsForHandlers},
	{name: "stop is bounded", run: stopIsBounded},

	{name: "describes itself", run: describesItself},
	{name: "collector", run: counts},
	{name: "payloads", run: takesPayloads},
	{name: "metadata", needs: feature("Metadata", func(f Features) bool { return f.Metadata }), run: takesMetadata},
	{name: "ID", needs: feature("ID", func(f Features) bool { return f.ID }), run: takesID},
	{name: "origin", run: knowsTheOrigin},
	{name: "order", needs: feature("Streams", func(f Features) bool { return f.Streams }), run: keepsOrder},
	{name: "64 peers", run: servesManyPeers},
	{name: "refusals", run: tellsRefusals},
	{name: "nothing of the inside", run: tellsNothingOfTheInside},
	{name: "too large", needs: feature("MaxMessageBytes", func(f Features) bool { return f.MaxMessageBytes > 0 }), run: refusesLargeMessages},

	{name: "reply", run: writesReplies},
	{name: "deliver", run: delivers},
	{name: "deliver while handling", run: deliversWhileHandling},
	{name: "peer has gone", run: knowsThatThePeerHasGone},
	{name: "handles what a peer left behind", run: handlesWhatAPeerLeft},
	{name: "close session", needs: feature("Streams", func(f Features) bool { return f.Streams }), run: closesSessions},
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
			missing, err := c.check(context.WithoutCancel(t.Context()), func() Harness { return newHarness(t) }, features)
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
	if c.needs != nil {
		if missing = c.needs(features); missing != "" {
			return missing, nil
		}
	}
	before := runtime.NumGoroutine()
	b, err := newBench(ctx, newHarness(), features)
	if err != nil {
		return "", err
	}
	err = c.run(ctx, b)
	b.close(ctx)
	if err == nil && c.alone {
		err = b.until(ctx, fmt.Sprintf("there are no more than the %d goroutines there were", before), func() bool {
			return runtime.NumGoroutine() <= before
		})
	}
	return "", err
}

func (f Features) withDefaults() (Features, error) {
	if f.Patience == 0 {
		f.Patience = 10 * time.Second
	}
	if f.Evidence == transport.None {
		return f, errors.New("inboundtest: Features.Evidence is none: say what a delivery proves")
	}
	return f, nil
}

func feature(name string, has func(Features) bool) func(Features) string {
	return func(f Features) string {
		if has(f) {
			return ""
		}
		return "Features." + name
	}
}

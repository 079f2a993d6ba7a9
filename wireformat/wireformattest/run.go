package wireformattest

import (
	"context"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

// Features say what the format under test does. The zero value is a format that
// takes any JSON object and needs no keys.
type Features struct {
	// Samples are what the format must carry. Default: [JSONSamples].
	Samples []Sample
	// Refused are what Encode must refuse, such as a target without keys.
	// Default: none.
	Refused []Sample
	// Profile is handed to the format; it has the keys that the samples need.
	// Default: the default profile.
	Profile *profile.Profile
	// Varies says that the same message does not give the same bytes each time,
	// as with encryption. Default: it does.
	Varies bool
}

// Sample is one message and whom it is for. A sample whose payload holds
// [Canary] makes the suite look for it in errors.
type Sample struct {
	Name    string
	Message wireformat.Message
	Target  wireformat.Target
}

// check is one case of the suite. It returns what is wrong, so that the suite's
// own tests can see a broken format fail.
type check struct {
	name string
	run  func(ctx context.Context, f wireformat.Format, features Features) error
}

var checks = [...]check{
	{"name and media types", namesItself},
	{"registers", registers},
	{"round trip", roundTrip},
	{"same input, same frame", deterministic},
	{"many goroutines", concurrent},
	{"changes nothing it is given", changesNothing},
	{"keeps nothing it is given", keepsNothing},
	{"refused messages", refuses},
	{"hostile frames", survivesHostileFrames},
	{"frames cut short", survivesCutFrames},
	{"recipient keys", readsRecipientKeys},
	{"sniffs", sniffs},
	{"stamps", stamps},
	{"shares", shares},
	{"works through a decorator", forwards},
}

// Run checks the format that newFormat makes, a fresh one for each case.
func Run(t *testing.T, newFormat func(t *testing.T) wireformat.Format, features Features) {
	t.Helper()
	features = features.withDefaults()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.run(t.Context(), newFormat(t), features); err != nil {
				t.Error(err)
			}
		})
	}
}

func (f Features) withDefaults() Features {
	if f.Samples == nil {
		f.Samples = JSONSamples()
	}
	if f.Profile == nil {
		f.Profile = profile.Default()
	}
	return f
}

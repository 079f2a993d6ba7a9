package sqlitequeue

import (
	"testing"
	"time"
)

// TestConvoy: a lone caller waits for nobody; of many, those that come back are waited
// for, and those that stay away only for a while.
func TestConvoy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		convoy   convoy
		ops      int
		waited   time.Duration
		complete bool
	}{
		{"nobody was answered yet", convoy{}, 1, 0, true},
		{"the one that was answered is back", convoy{1, time.Hour}, 1, 0, true},
		{"all are back", convoy{64, time.Hour}, 64, 0, true},
		{"more have come", convoy{64, time.Hour}, 70, 0, true},
		{"some are on their way", convoy{64, time.Hour}, 32, 0, false},
		{"some stay away", convoy{64, time.Hour}, 32, time.Hour / waitShare, true},
		{"a transaction takes no time", convoy{64, 0}, 32, 0, true},
	} {
		if got := test.convoy.complete(test.ops, time.Now().Add(-test.waited)); got != test.complete {
			t.Errorf("%s: complete is %v", test.name, got)
		}
	}
}

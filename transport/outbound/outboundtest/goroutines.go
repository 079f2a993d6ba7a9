package outboundtest

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// goroutines is how many there were.
type goroutines int

func countGoroutines() goroutines { return goroutines(runtime.NumGoroutine()) }

// wait returns nil once there are no more than there were. What ends a
// connection ends its goroutines a moment later, so it looks more than once.
func (before goroutines) wait(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for runtime.NumGoroutine() > int(before) {
		select {
		case <-again.C:
		case <-ctx.Done():
			stacks := make([]byte, 64<<10)
			return fmt.Errorf("there are %d goroutines, and there were %d before:\n%s",
				runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
	return nil
}

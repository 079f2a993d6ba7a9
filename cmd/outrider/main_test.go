package main

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestSignalThatComesTwiceIsOne: timeout(1) signals the program and its group, within
// a millisecond, and the drain was cut short.
func TestSignalThatComesTwiceIsOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal)
		woundUp, second := 0, make(chan struct{})
		go func() {
			awaitSecond(signals, func() { woundUp++ })
			close(second)
		}()
		goesOn := func() bool {
			synctest.Wait()
			select {
			case <-second:
				return false
			default:
				return true
			}
		}
		signals <- syscall.SIGTERM
		for _, wait := range []time.Duration{0, time.Millisecond, sameSignal - 2*time.Millisecond} {
			<-time.After(wait)
			signals <- syscall.SIGTERM
			if !goesOn() || woundUp != 1 {
				t.Fatalf("%v later: the signal is taken for a second one (wound up %d times)", wait, woundUp)
			}
		}
		<-time.After(time.Millisecond)
		signals <- syscall.SIGHUP
		if goesOn() {
			t.Error("a second signal does not count")
		}
	})
}

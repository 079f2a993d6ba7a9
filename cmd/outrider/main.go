// Command outrider delivers payloads to URIs, reliably: as a daemon, and as the
// tool to talk to one. Run "outrider --help".
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/outrider-go/outrider/internal/cli"
)

// sameSignal is how long signals count as one. timeout(1) sends its signal to the
// program and then to the program's group, and a terminal that closes may hang up
// twice.
const sameSignal = 500 * time.Millisecond

func main() {
	// net/http quotes what a peer sent to a connection nobody reads, and that may
	// echo a secret. It knows no other logger than the standard one.
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, ends()...)
	go func() { // lives as long as the program
		awaitSecond(signals, cancel)
		fmt.Fprintln(os.Stderr, "outrider: second signal: stopped at once")
		os.Exit(cli.ExitFailure)
	}()
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// ends lists the signals that end the program. A hang-up that nohup(1) has it ignore
// stays ignored.
func ends() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// awaitSecond winds up at the first signal, on which a daemon drains, and returns at
// the second, which is the first one that does not count as the same.
func awaitSecond(signals <-chan os.Signal, windUp func()) {
	<-signals
	windUp()
	began := time.Now()
	for range signals {
		if time.Since(began) >= sameSignal {
			return
		}
	}
}

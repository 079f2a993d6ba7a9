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

	"github.com/outrider-go/outrider/internal/cli"
)

func main() {
	// net/http quotes what a peer sent to a connection nobody reads, and that may
	// echo a secret. It knows no other logger than the standard one.
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // lives as long as the program
		<-signals
		cancel() // the command winds up, a daemon drains
		<-signals
		fmt.Fprintln(os.Stderr, "outrider: second signal: stopped at once")
		os.Exit(cli.ExitFailure)
	}()
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

//go:build !unix

package verify

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

func killGroup(process *os.Process) error { return process.Kill() }

// stopSignal ends a daemon: there is no way to ask.
var stopSignal = os.Kill

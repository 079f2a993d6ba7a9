//go:build unix

package verify

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup has a command and its children be signalled together, and not by the
// terminal.
func ownGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// killGroup ends a command and its children at once.
func killGroup(process *os.Process) error {
	return syscall.Kill(-process.Pid, syscall.SIGKILL)
}

// stopSignal asks a daemon to stop.
const stopSignal = syscall.SIGTERM

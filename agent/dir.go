package agent

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/outrider-go/outrider/internal/privatefile"
)

// EnvStateDirectory is the variable in which systemd tells a service its state
// directory: StateDirectory= of the unit.
const EnvStateDirectory = "STATE_DIRECTORY"

// DefaultDir is where an agent keeps its queue where it is not told: what systemd
// gives a service as its state directory, or outrider in the user's directory for
// state (https://specifications.freedesktop.org/basedir-spec/). Several state
// directories, which systemd writes with colons between, are an error.
func DefaultDir() (string, error) {
	if dir := os.Getenv(EnvStateDirectory); dir != "" {
		if all := filepath.SplitList(dir); len(all) > 1 {
			return "", &KeyError{"dir", fmt.Errorf("is missing, and %s names %d directories: say which, such as dir: %s", EnvStateDirectory, len(all), all[0])}
		}
		return dir, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "outrider"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", &KeyError{"dir", fmt.Errorf("is missing, and there is no default: %w", err)}
	}
	return filepath.Join(home, ".local", "state", "outrider"), nil
}

// checkDir makes the agent's directory, or checks the one that is there.
func checkDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &KeyError{"dir", err}
	}
	err := privatefile.CheckDir(dir)
	if err == nil {
		return nil
	}
	if dir == os.Getenv(EnvStateDirectory) {
		err = fmt.Errorf("%w, or set StateDirectoryMode=0700 in the unit: systemd sets the mode at each start", err)
	}
	return &KeyError{"dir", err}
}

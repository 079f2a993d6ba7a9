package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What a user runs: it finds its own program, leaves nothing behind, and its
// numbers are there.
func TestVerifyCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command := exec.CommandContext(t.Context(), build(t), "verify", "--dir", dir, "--cycles", "3", "--messages", "500", "--seed", "7", "--json")
	command.Env = []string{"HOME=" + dir, "OUTRIDER_RETRY=none"} // its own configuration is not touched by the caller's
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, stderr.String())
	}
	var result struct {
		OK       bool `json:"ok"`
		Accepted int  `json:"accepted"`
		Crashes  int  `json:"crashes"`
		Seed     int  `json:"seed"`
	}
	if err := json.Unmarshal(out, &result); err != nil || !result.OK || result.Accepted < 200 || result.Crashes != 3 || result.Seed != 7 {
		t.Errorf("got %s, %v", out, err)
	}
	if !strings.Contains(stderr.String(), "the queue is in "+dir) {
		t.Errorf("stderr does not say where the queue is: %s", stderr.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

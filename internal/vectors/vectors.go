// Package vectors reads test vectors of specifications and of other
// implementations. They have licences of their own and are not in the repository:
// the environment variable OUTRIDER_VECTORS names the directory they are in. What
// a package needs to be tested without them is in its testdata.
package vectors

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Directory is the environment variable that names the directory.
const Directory = "OUTRIDER_VECTORS"

// Load reads a JSON file of vectors. Where there is no directory, the test is
// skipped; where there is one without the file, it fails.
func Load(t testing.TB, name string, into any) {
	t.Helper()
	directory := os.Getenv(Directory)
	if directory == "" {
		t.Skipf("%s names no directory with test vectors", Directory)
	}
	content, err := os.ReadFile(filepath.Join(directory, filepath.FromSlash(name))) //nolint:gosec // the developer names the directory
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

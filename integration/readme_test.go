package integration

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeShowsRealCode finds each Go block of the README in the example it is
// taken from.
func TestReadmeShowsRealCode(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../examples/send/main.go")
	if err != nil {
		t.Fatal(err)
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) == 0 {
		t.Fatal("the README shows no Go")
	}
	for _, block := range blocks {
		if !strings.Contains(squeeze(string(example)), squeeze(block[1])) {
			t.Errorf("not in examples/send/main.go:\n%s", block[1])
		}
	}
}

// TestDocumentsLinkToWhatIsThere follows the relative links of the documents.
func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, document := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"} {
		checkLinks(t, link, "..", document)
	}
	entries, err := os.ReadDir("../docs")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		checkLinks(t, link, "../docs", entry.Name())
	}
}

func checkLinks(t *testing.T, link *regexp.Regexp, folder, document string) {
	t.Helper()
	text, err := os.ReadFile(folder + "/" + document)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range link.FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(folder + "/" + found[1]); err != nil {
			t.Errorf("%s links to %s, which is not there", document, found[1])
		}
	}
}

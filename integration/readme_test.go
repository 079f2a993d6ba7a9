package integration

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentsShowRealCode finds each Go block of a document in the code that it is
// taken from, which is compiled and tested.
func TestDocumentsShowRealCode(t *testing.T) {
	t.Parallel()
	for document, source := range map[string]string{
		"../README.md":                     "../examples/send/main.go",
		"../docs/writing-a-wire-format.md": "../wireformat/tutorial_test.go",
	} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		code, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
		if len(blocks) == 0 {
			t.Errorf("%s shows no Go", document)
		}
		for _, block := range blocks {
			if !strings.Contains(squeeze(string(code)), squeeze(block[1])) {
				t.Errorf("%s shows what is not in %s:\n%s", document, source, block[1])
			}
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

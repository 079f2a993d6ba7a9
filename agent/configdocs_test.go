package agent

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestConfigurationPageIsComplete: docs/configuration.md has each key, with its
// variable, and each setting of a profile, once, and nothing else.
func TestConfigurationPageIsComplete(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	page, settings, found := strings.Cut(string(content), "\n## Settings of profiles\n")
	page, profiles, alsoFound := strings.Cut(page, "\n## Profiles\n")
	settings, _, _ = strings.Cut(settings, "\n## ")
	if !found || !alsoFound {
		t.Fatal("the page has no section on profiles, or on their settings")
	}
	var keys, profileNames []string
	for _, k := range configKeys(secretReader{}) {
		keys = append(keys, k.name)
		if row := "\n| `" + k.name + "` | `" + variableOf(k.name) + "` |"; !strings.Contains(page, row) {
			t.Errorf("no row begins with %s", strings.TrimSpace(row))
		}
	}
	for _, k := range profileKeys(secretReader{}) {
		profileNames = append(profileNames, k.name)
	}
	formats, err := Formats()
	if err != nil {
		t.Fatal(err)
	}
	compareNames(t, "keys", rowNames(page), keys)
	compareNames(t, "keys of profiles", rowNames(profiles), profileNames)
	compareNames(t, "settings of profiles", rowNames(settings), knownSettings(formats))
}

func TestConfigurationPageHasAnExampleThatIsValid(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(string(content))
	if example == nil {
		t.Fatal("there is no example")
	}
	_, err = LoadConfig(Sources{File: writeFile(t, "outrider.yaml", example[1]), Env: []string{"WEBHOOK_SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}})
	if err != nil {
		t.Error(err)
	}
}

// rowNames returns what stands as code in the first column of the tables.
func rowNames(section string) (names []string) {
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(section, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			names = append(names, strings.Trim(name, "`"))
		}
	}
	return names
}

func compareNames(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, name := range want {
		if n := countOf(got, name); n != 1 {
			t.Errorf("%s: %s is there %d times, want once", what, name, n)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s: %s is on the page, and unknown", what, name)
		}
	}
}

func countOf(all []string, name string) (n int) {
	for _, one := range all {
		if one == name {
			n++
		}
	}
	return n
}

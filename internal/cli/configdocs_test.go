package cli

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
)

// TestConfigurationPageHasFlagsAndDefaults holds the rows of docs/configuration.md to
// the flags of serve and to the defaults in force. A default that stands there as code
// is one that can be written into a file.
func TestConfigurationPageHasFlagsAndDefaults(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var flags configFlags
	flags.add(&cobra.Command{})
	flagOf := map[string]string{"inbound.from": "`--in`"}
	for name, key := range flags.keys {
		flagOf[key] = "`--" + name + "`"
	}
	defaults := settingsOf(load(t, nil))
	missing := map[string]bool{}
	for _, s := range defaults {
		missing[strings.Join(s.path, ".")] = true
	}
	delete(missing, "dir")             // is another one for each user
	delete(missing, "inbound.handler") // depends on another key
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| `OUTRIDER_[A-Z_]+` \\| (.*?) ?\\| [^|]+ \\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1) {
		key, flag, value := row[1], row[2], row[3]
		if flag != flagOf[key] {
			t.Errorf("%s: the flag is %q, want %q", key, flag, flagOf[key])
		}
		if !strings.HasPrefix(value, "`") {
			continue
		}
		delete(missing, key)
		if got := settingsOf(load(t, map[string]any{key: strings.Trim(value, "`")})); !reflect.DeepEqual(got, defaults) {
			t.Errorf("%s: %s is not the default", key, value)
		}
	}
	for key := range missing {
		t.Errorf("%s: the page lacks its default", key)
	}
}

func load(t *testing.T, flags map[string]any) agent.Config {
	t.Helper()
	config, err := agent.LoadConfig(agent.Sources{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

package agent

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat/webhook"
)

// TestEverySettingIsKnown finds the constants of the module that name settings of
// profiles. One that is not known could not be set.
func TestEverySettingIsKnown(t *testing.T) {
	t.Parallel()
	formats, err := Formats()
	if err != nil {
		t.Fatal(err)
	}
	known, found := knownSettings(formats), 0
	err = filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for name, value := range settingConstants(file) {
			found++
			if !slices.Contains(known, value) {
				t.Errorf("%s: %s is %q, which no SettingNames lists", path, name, value)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found != len(known) {
		t.Errorf("%d constants, and %d known settings", found, len(known))
	}
}

// settingConstants returns the constants with Setting in their names and a text.
func settingConstants(file *ast.File) map[string]string {
	all := map[string]string{}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, value := range spec.Values {
			literal, ok := value.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING || !strings.Contains(spec.Names[i].Name, "Setting") {
				continue
			}
			all[spec.Names[i].Name], _ = strconv.Unquote(literal.Value)
		}
		return true
	})
	return all
}

// TestSettingsOfOwnFormats: a format that is made with other names has its settings
// read under these.
func TestSettingsOfOwnFormats(t *testing.T) {
	t.Parallel()
	own, err := webhook.New(webhook.Options{Name: "mine", KeySetting: "webhook.mine"})
	if err != nil {
		t.Fatal(err)
	}
	formats, err := Formats(own)
	if err != nil {
		t.Fatal(err)
	}
	settings := profile.NewSettings(map[string]string{"webhook.mine": "a", "webhook.keys": "b", "webhook.mien": "c"})
	if got := unknownSettings(settings, formats); !slices.Equal(got, []string{"webhook.mien"}) {
		t.Errorf("unknown are %q, want webhook.mien", got)
	}
}

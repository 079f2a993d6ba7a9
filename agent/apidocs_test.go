package agent

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumentHasEveryField compares the tables of docs/api.md with what is read and
// written.
func TestDocumentHasEveryField(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for heading, want := range map[string][]string{
		"A message as it is sent":  fieldsOf(reflect.TypeFor[SendRequest](), ""),
		"A message as it is shown": fieldsOf(reflect.TypeFor[MessageView](), ""),
		"Statistics":               fieldsOf(reflect.TypeFor[StatsView](), ""),
	} {
		_, section, _ := strings.Cut(string(text), "\n## "+heading+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if got := namesIn(section); !slices.Equal(got, want) {
			t.Errorf("docs/api.md, %s: the fields are\n%q, want\n%q", heading, got, want)
		}
	}
}

// namesIn returns the names in the first column of a table, sorted. One that begins with
// a dot stands for one beside the name before it.
func namesIn(section string) []string {
	names := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \|`).FindAllStringSubmatch(section, -1) {
		var parent string
		for _, found := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			name := found[1]
			if strings.HasPrefix(name, ".") {
				name = parent + name
			}
			if dot := strings.LastIndex(name, "."); dot > 0 {
				parent = name[:dot]
			}
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// fieldsOf returns the names of a type's JSON, sorted; those of our structs within go
// before, with a dot.
func fieldsOf(of reflect.Type, prefix string) []string {
	var names []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		name = prefix + name
		inner := field.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() != reflect.Struct || !strings.Contains(inner.PkgPath(), "outrider") {
			names = append(names, name)
			continue
		}
		if inner != field.Type {
			if len(prefix) == 0 && name == "attempts" { // is told by itself, too
				names = append(names, name)
			}
			name += "[]"
		}
		names = append(names, fieldsOf(inner, name+".")...)
	}
	slices.Sort(names)
	return names
}

package integration

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The test reads the files itself: had it asked `go list`, the test cache would
// not notice a new import and keep saying ok.
func TestImportsFollowTheLayers(t *testing.T) {
	t.Parallel()
	faults, err := checkImports("..", layers)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

func TestCheckImportsReportsViolations(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file, imports string
		want          []string
	}{
		"leaf on the standard library": {file: "stats/a.go", imports: `"time"`},
		"leaf on the leaf below all":   {file: "queue/a.go", imports: `"example.com/m/transport"`},
		"leaf on a leaf": {
			file: "stats/a.go", imports: `"example.com/m/event"`,
			want: []string{"stats/a.go imports event: not allowed by its row"},
		},
		"leaf on another module": {
			file: "event/a.go", imports: `"go.uber.org/zap"`,
			want: []string{"event/a.go imports go.uber.org/zap: not allowed by its row"},
		},
		"driver on its library": {
			file: "transport/outbound/httpout/a.go", imports: `"github.com/hashicorp/go-retryablehttp"`,
		},
		"driver below its library": {
			file: "transport/outbound/httpout/a.go", imports: `"go.uber.org/zap/zapcore"`,
		},
		"driver on a library of a like name": {
			file: "transport/outbound/httpout/a.go", imports: `"go.uber.org/zapper"`,
			want: []string{"transport/outbound/httpout/a.go imports go.uber.org/zapper: not allowed by its row"},
		},
		"driver on another's library": {
			file: "transport/outbound/httpout/a.go", imports: `"github.com/gorilla/websocket"`,
			want: []string{"transport/outbound/httpout/a.go imports github.com/gorilla/websocket: not allowed by its row"},
		},
		"driver on a driver": {
			file: "transport/outbound/memout/a.go", imports: `"example.com/m/transport/outbound/httpout"`,
			want: []string{"transport/outbound/memout/a.go imports transport/outbound/httpout: not allowed by its row"},
		},
		"driver on the queue": {
			file: "transport/outbound/wsout/a.go", imports: `"example.com/m/queue"`,
			want: []string{"transport/outbound/wsout/a.go imports queue: not allowed by its row"},
		},
		"outbound on inbound": {
			file: "transport/outbound/a.go", imports: `"example.com/m/transport/inbound"`,
			want: []string{"transport/outbound/a.go imports transport/inbound: not allowed by its row"},
		},
		"upwards": {
			file: "transport/outbound/a.go", imports: `"example.com/m/agent"`,
			want: []string{"transport/outbound/a.go imports agent: not allowed by its row"},
		},
		"file of another system": {
			file: "transport/outbound/a_windows.go", imports: `"example.com/m/agent"`,
			want: []string{"transport/outbound/a_windows.go imports agent: not allowed by its row"},
		},
		"agent on anything": {file: "agent/a.go", imports: `"example.com/m/transport/outbound/httpout"`},
		"agent on a test kit": {
			file: "agent/a.go", imports: `"example.com/m/queue/queuetest"`,
			want: []string{"agent/a.go imports queue/queuetest: only _test files may"},
		},
		"test kit on the leak check": {
			file: "queue/queuetest/a.go", imports: `"example.com/m/internal/leak"`,
			want: []string{"queue/queuetest/a.go imports internal/leak: only _test files may"},
		},
		"test on a test kit": {file: "agent/a_test.go", imports: `"example.com/m/queue/queuetest"`},
		"unknown package": {
			file: "util/a.go", imports: `"time"`,
			want: []string{"package util is not in the layer table: add it to integration/layers_test.go"},
		},
		"the module's root": {
			file: "a.go", imports: `"time"`,
			want: []string{"package . is not in the layer table: add it to integration/layers_test.go"},
		},
		"several at once": {
			file: "registry/a.go", imports: `"example.com/m/stats"; _ "go.uber.org/zap"`,
			want: []string{
				"registry/a.go imports go.uber.org/zap: not allowed by its row",
				"registry/a.go imports stats: not allowed by its row",
			},
		},
		"cgo": {
			file: "transport/a.go", imports: `"C"`,
			want: []string{"transport/a.go imports C: the module builds without cgo"},
		},
		"test data":      {file: "queue/testdata/a.go", imports: `"example.com/m/agent"`},
		"hidden folders": {file: ".cache/a.go", imports: `"example.com/m/agent"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			plant(t, root, "go.mod", "module example.com/m\n")
			plant(t, root, test.file, "package p\n\nimport ("+test.imports+")\n")
			got, err := checkImports(root, layers)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("faults: got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCheckImportsNeedsAModule(t *testing.T) {
	t.Parallel()
	if _, err := checkImports(t.TempDir(), layers); err == nil {
		t.Error("an empty folder passed: the check would pass wherever it looks in the wrong place")
	}
}

func plant(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkImports returns what the code of the module at root imports against the
// table, sorted.
func checkImports(root string, table []rule) ([]string, error) {
	module, err := modulePath(root)
	if err != nil {
		return nil, err
	}
	var faults []string
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skipForeign(root, name)
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		imports, err := importsOf(name)
		faults = append(faults, faultsOf(filepath.ToSlash(relative), module, imports, table)...)
		return err
	})
	slices.Sort(faults)
	return slices.Compact(faults), err
}

// skipForeign returns fs.SkipDir for folders that hold no packages of the module,
// as the go command sees it.
func skipForeign(root, dir string) error {
	if dir == root {
		return nil
	}
	base := filepath.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func modulePath(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if module, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(module), nil
		}
	}
	return "", errors.New("no module line in go.mod")
}

func importsOf(name string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	imports := make([]string, len(file.Imports))
	for i, spec := range file.Imports {
		if imports[i], err = strconv.Unquote(spec.Path.Value); err != nil {
			return nil, err
		}
	}
	return imports, nil
}

// faultsOf returns the faults of one file, named relative to the module's root.
func faultsOf(file, module string, imports []string, table []rule) []string {
	pkg := path.Dir(file)
	row := slices.IndexFunc(table, func(r rule) bool { return matches(r.pkg, pkg) })
	if row < 0 {
		return []string{fmt.Sprintf("package %s is not in the layer table: add it to integration/layers_test.go", pkg)}
	}
	var faults []string
	for _, imported := range imports {
		name, own := strings.CutPrefix(imported+"/", module+"/")
		name = path.Clean(name)
		switch {
		case imported == "C":
			faults = append(faults, file+" imports C: the module builds without cgo")
		case own && slices.Contains(testOnly, name):
			faults = append(faults, fmt.Sprintf("%s imports %s: only _test files may", file, name))
		case own && !table[row].allowsInternal(name), !own && !table[row].allowsExternal(imported):
			faults = append(faults, fmt.Sprintf("%s imports %s: not allowed by its row", file, name))
		}
	}
	return faults
}

func (r rule) allowsInternal(pkg string) bool {
	return slices.ContainsFunc(r.internal, func(pattern string) bool {
		return pattern == anything || matches(pattern, pkg)
	})
}

// allowsExternal tells the standard library by the first element of its paths,
// which has no dot.
func (r rule) allowsExternal(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	if !strings.Contains(first, ".") {
		return true
	}
	return slices.ContainsFunc(r.external, func(allowed string) bool {
		return pkg == allowed || strings.HasPrefix(pkg, allowed+"/")
	})
}

func matches(pattern, pkg string) bool {
	ok, err := path.Match(pattern, pkg)
	return ok && err == nil
}

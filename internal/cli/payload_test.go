package cli

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadPayload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, binary := filepath.Join(dir, "text"), filepath.Join(dir, "binary")
	write(t, file, "from a file")
	write(t, binary, "\xff\x00")
	jsonFile, noJSON := filepath.Join(dir, "order.json"), filepath.Join(dir, "binary.JSON")
	write(t, jsonFile, `{"a":1}`)
	write(t, noJSON, "\xff")
	tests := map[string]struct {
		spec   string
		asText bool
		want   string
		text   bool
		fault  string
		code   int
	}{
		"text":                 {spec: "hello", want: "hello", text: true},
		"empty text":           {spec: "", want: "", text: true},
		"at sign inside":       {spec: "a@b", want: "a@b", text: true},
		"file":                 {spec: "@" + file, want: "from a file"},
		"file as text":         {spec: "@" + file, asText: true, want: "from a file", text: true},
		"JSON file":            {spec: "@" + jsonFile, want: `{"a":1}`, text: true},
		"no JSON after all":    {spec: "@" + noJSON, want: "\xff"},
		"binary file":          {spec: "@" + binary, want: "\xff\x00"},
		"standard input":       {spec: "@-", want: "from stdin"},
		"text that is not":     {spec: "\xff", fault: "not valid UTF-8", code: ExitUsage},
		"binary file as text":  {spec: "@" + binary, asText: true, fault: "leave out --text", code: ExitFailure},
		"no file name":         {spec: "@", fault: "@- for standard input", code: ExitUsage},
		"file that is missing": {spec: "@" + filepath.Join(dir, "none"), fault: "no such file", code: ExitFailure},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readPayload(test.spec, test.asText, strings.NewReader("from stdin"))
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Fatalf("error: got %v, want one with %q", err, test.fault)
				}
				if code := exitCode(err); code != test.code {
					t.Errorf("exit code: got %d, want %d", code, test.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(got.data) != test.want || got.text != test.text {
				t.Errorf("payload: got %q, text %v; want %q, text %v", got.data, got.text, test.want, test.text)
			}
		})
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestParseHeaders(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lines []string
		want  map[string]string
		fault string
	}{
		"none":                 {},
		"one":                  {lines: []string{"x-kind: order"}, want: map[string]string{"x-kind": "order"}},
		"value with colons":    {lines: []string{"x-at:12:30:00"}, want: map[string]string{"x-at": "12:30:00"}},
		"empty value":          {lines: []string{"x-kind:"}, want: map[string]string{"x-kind": ""}},
		"spaces":               {lines: []string{" x-kind :  a b  "}, want: map[string]string{"x-kind": "a b"}},
		"no colon":             {lines: []string{"x-a: 1", "canary"}, fault: "-H number 2"},
		"no name":              {lines: []string{": canary"}, fault: "-H number 1"},
		"twice":                {lines: []string{"x-a: 1", "x-a: canary"}, fault: "x-a is given twice"},
		"twice in other cases": {lines: []string{"x-a: 1", "X-A: canary"}, fault: "X-A is given twice"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseHeaders(test.lines)
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) || strings.Contains(err.Error(), "canary") {
					t.Fatalf("error: got %v, want one with %q and without the value", err, test.fault)
				}
				if code := exitCode(err); code != ExitUsage {
					t.Errorf("exit code: got %d, want %d", code, ExitUsage)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(got, test.want) {
				t.Errorf("headers: got %v, want %v", got, test.want)
			}
		})
	}
}

func FuzzParseHeaders(f *testing.F) {
	for _, seed := range []string{"a: b", ":", "", "a", "a:b:c", "\x00: \xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		headers, err := parseHeaders([]string{line})
		if (err == nil) != (len(headers) == 1) {
			t.Errorf("%q: got %d headers and the error %v", line, len(headers), err)
		}
	})
}

package transport_test

import (
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport"
)

func entries(n int) transport.Metadata {
	m := transport.Metadata{}
	for i := range n {
		m["name"+strconv.Itoa(i)] = "value"
	}
	return m
}

func TestMetadataValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    transport.Metadata
		want string // part of the error; empty: none
	}{
		{"nil", nil, ""},
		{"empty", transport.Metadata{}, ""},
		{"usual", transport.Metadata{"X-Trace": "a b\tc", "ü": "ü", "empty": ""}, ""},
		{"as many as allowed", entries(transport.MaxMetadataEntries), ""},
		{"too many", entries(transport.MaxMetadataEntries + 1), "65 entries: at most 64"},
		{"as large as allowed", transport.Metadata{"a": strings.Repeat("x", transport.MaxMetadataBytes-1)}, ""},
		{"value too large", transport.Metadata{"a": canary + strings.Repeat("x", transport.MaxMetadataBytes)}, "at most 16384"},
		{"name too large", transport.Metadata{canary + strings.Repeat("x\n", transport.MaxMetadataBytes): ""}, "at most 16384"},
		{"no name", transport.Metadata{"": canary}, "without a name"},
		{"newline in a name", transport.Metadata{"a\r\nb": canary}, `"a\r\nb"`},
		{"NUL in a name", transport.Metadata{"a\x00": canary}, "control character"},
		{"newline in a value", transport.Metadata{"name": canary + "\r\nX: y"}, `metadata["name"]`},
		{"DEL in a value", transport.Metadata{"name": canary + "\x7f"}, `metadata["name"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.m.Validate()
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want one that says %s", err, tt.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows a value: %q", err)
			}
		})
	}
}

func TestMetadataClone(t *testing.T) {
	t.Parallel()
	if transport.Metadata(nil).Clone() != nil {
		t.Error("the copy of nil is not nil")
	}
	m := transport.Metadata{"a": "1"}
	c := m.Clone()
	if !maps.Equal(m, c) {
		t.Errorf("copied %v", c)
	}
	c["a"], c["b"] = "2", "3"
	if len(m) != 1 || m["a"] != "1" {
		t.Errorf("the original changed to %v", m)
	}
}

func FuzzMetadataValidate(f *testing.F) {
	f.Add("name", "value")
	f.Add("", "")
	f.Add("a\nb", "c\x00")
	f.Fuzz(func(t *testing.T, name, value string) {
		control := func(s string) bool {
			return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
		}
		wrong := name == "" || control(name) || control(value) || len(name)+len(value) > transport.MaxMetadataBytes
		if err := (transport.Metadata{name: value}).Validate(); (err != nil) != wrong {
			t.Errorf("%q=%q: %v", name, value, err)
		}
	})
}

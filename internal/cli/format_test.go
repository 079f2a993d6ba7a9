package cli

import (
	"strings"
	"testing"
	"time"
)

func TestShortDuration(t *testing.T) {
	t.Parallel()
	tests := map[time.Duration]string{
		0:                        "0 µs",
		850 * time.Microsecond:   "850 µs",
		3140 * time.Microsecond:  "3.1 ms",
		999 * time.Millisecond:   "999 ms",
		1500 * time.Millisecond:  "1.5 s",
		59900 * time.Millisecond: "59.9 s",
		250 * time.Second:        "4m10s",
		125 * time.Minute:        "2h5m",
		76 * time.Hour:           "3d4h",
		-time.Second:             "-1.0 s",
	}
	for d, want := range tests {
		if got := shortDuration(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		at   time.Time
		want string
	}{
		"no instant":  {},
		"just now":    {at: now.Add(-time.Millisecond), want: "now"},
		"in the past": {at: now.Add(-90 * time.Second), want: "1m30s ago"},
		"to come":     {at: now.Add(90 * time.Second), want: "in 1m30s"},
	}
	for name, test := range tests {
		if got := ago(test.at, now); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	tests := map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 300 << 10: "300 KiB",
		1<<20 - 1: "1.0 MiB", 5 << 30: "5.0 GiB", 1 << 50: "1024 TiB",
	}
	for bytes, want := range tests {
		if got := size(bytes); got != want {
			t.Errorf("%d: got %q, want %q", bytes, got, want)
		}
	}
}

func TestClipHidesWhatWouldControlATerminal(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"short":            {"abc", "abc"},
		"long":             {"abcdefghijk", "abcdefghi…"},
		"wide characters":  {"äöüäöüäöü", "äöüäöüäöü"},
		"escape sequences": {"a\x1b[2Jb", "a [2Jb"},
		"lines":            {"a\nb", "a; b"},
	}
	for name, test := range tests {
		if got := clip(test.text, 10); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		style style
		want  string
	}{
		"plain": {want: `
  NAME   COUNT  NOTE
  grün       7  all is well
  other   1000  -
`},
		"coloured": {style: style{colour: true}, want: `
  ` + "\x1b[2mNAME\x1b[0m   \x1b[2mCOUNT\x1b[0m  \x1b[2mNOTE\x1b[0m" + `
  ` + "\x1b[32mgrün\x1b[0m       7  all is well" + `
  other   1000  -
`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grid := newTable(test.style, "NAME", ">COUNT", "NOTE")
			grid.add(cell{"grün", test.style.green}, cell{text: "7"}, cell{text: "all is well"})
			grid.add(plain("other", "1000")...)
			var b strings.Builder
			b.WriteByte('\n')
			if err := grid.writeTo(&b, "  "); err != nil {
				t.Fatal(err)
			}
			if got := b.String(); got != test.want {
				t.Errorf("table: got\n%q\nwant\n%q", got, test.want)
			}
		})
	}
}

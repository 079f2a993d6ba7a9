package transport_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// verbs are those of fmt, and two that it does not know.
var verbs = strings.Fields("%v %+v %#v %s %+s %q %x %X %d %o %b %t %T %e %g %p %c %U %w %z %10.3s %-20q %%!")

// checkHidden prints a value in every way that a log may, and fails where the
// canary shows.
func checkHidden(t *testing.T, value any) {
	t.Helper()
	type hidden struct{ inner any }
	type shown struct{ Inner any }
	var out bytes.Buffer
	for _, v := range []any{value, &value, hidden{value}, &hidden{value}, shown{value}, []any{value}, map[string]any{"k": value}} {
		for _, verb := range verbs {
			_, _ = fmt.Fprintf(&out, verb+"\n", v)
		}
		_, _ = fmt.Fprintln(&out, v)
	}
	for _, v := range []any{value, shown{value}, map[string]any{"k": value}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(text, '\n'))
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("logged", "value", value, "shown", shown{value}, "hidden", hidden{value})
	}
	for line := range strings.Lines(out.String()) {
		for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
			if strings.Contains(line, form) {
				t.Errorf("a secret shows in %q", line)
			}
		}
	}
}

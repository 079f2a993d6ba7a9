package suggest

import (
	"testing"

	"github.com/outrider-go/outrider/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestClosest(t *testing.T) {
	t.Parallel()
	names := []string{"api.listen", "workers", "OUTRIDER_SERVER", "attempt_timeout"}
	for typed, want := range map[string]string{
		"worker":          "workers",
		"wrokers":         "workers",
		"api.lisen":       "api.listen",
		"outrider_server": "OUTRIDER_SERVER",
		"att":             "attempt_timeout",
		"at":              "",
		"":                "",
		"nothing like it": "",
	} {
		if got := Closest(typed, names); got != want {
			t.Errorf("Closest(%q) = %q, want %q", typed, got, want)
		}
	}
}

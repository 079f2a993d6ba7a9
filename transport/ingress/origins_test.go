package ingress_test

import (
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport/ingress"
)

func TestCheckOrigins(t *testing.T) {
	t.Parallel()
	if err := ingress.CheckOrigins([]string{"https://app.example.com", "http://localhost:3000", "http://[::1]:80"}); err != nil {
		t.Error(err)
	}
	wrong := []string{
		"", "app.example", "app.example:80", "https://", "https://app.example/", "https://app.example?q",
		"https://app.example#f", "https://user@app.example", "null", "https://%zz",
	}
	err := ingress.CheckOrigins(wrong)
	for _, origin := range wrong {
		if err == nil || !strings.Contains(err.Error(), `"`+origin+`"`) {
			t.Errorf("%q is taken: %v", origin, err)
		}
	}
}

package outbound_test

import (
	"errors"
	"testing"

	"github.com/outrider-go/outrider/transport/outbound"
)

// TestDeliveryErrorText: what a transport has not said leaves no gap.
func TestDeliveryErrorText(t *testing.T) {
	t.Parallel()
	cause, to := errors.New("disk is asleep"), endpoint(t, "log://disk/#key")
	for want, err := range map[string]outbound.DeliveryError{
		"":                                   {},
		"disk is asleep":                     {Err: cause},
		"503: disk is asleep":                {Code: "503", Err: cause},
		"append":                             {Op: "append"},
		"log append log://disk/":             {Transport: "log", Op: "append", Endpoint: to},
		"log log://disk/: 4: disk is asleep": {Transport: "log", Endpoint: to, Code: "4", Err: cause},
	} {
		if got := err.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

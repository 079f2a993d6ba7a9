package amqp1

import (
	"fmt"
	"strings"
	"testing"
)

// TestOptionValues: what each option takes, and what is wanted of the others.
func TestOptionValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		read  func(value string) (any, error)
		takes map[string]string // what is read, by value
		want  string
	}{
		"bool": {
			func(value string) (got any, err error) { var is bool; err = ReadBool(&is, value); return is, err },
			map[string]string{"true": "true", "0": "false"}, "want true or false",
		},
		"durability": {
			func(value string) (got any, err error) {
				var d Durability
				err = ReadDurability(&d, value)
				return uint32(d), err
			},
			map[string]string{"none": "0", "configuration": "1", "unsettled-state": "2"}, "want none, configuration or unsettled-state",
		},
		"expiry policy": {
			func(value string) (got any, err error) {
				var p ExpiryPolicy
				err = ReadExpiryPolicy(&p, value)
				return p, err
			},
			map[string]string{"never": "never", "link-detach": "link-detach"}, "want link-detach, session-end, connection-close or never",
		},
		"expiry timeout": {
			func(value string) (got any, err error) {
				var s uint32
				err = ReadExpiryTimeout(&s, value)
				return s, err
			},
			map[string]string{"90s": "90", "1500ms": "1", "0s": "0", "4294967295s": "4294967295"}, "want a duration",
		},
	} {
		for value, want := range test.takes {
			if got, err := test.read(value); err != nil || fmt.Sprint(got) != want {
				t.Errorf("%s %q: %v, %v, want %s", name, value, got, err, want)
			}
		}
		for _, value := range []string{"", "canary", "-1s", "4294967296s"} {
			if _, err := test.read(value); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s %q: %v, want %q", name, value, err, test.want)
			}
		}
	}
	var names []string
	if ReadNames(&names, "queue,,shared"); fmt.Sprint(names) != "[queue shared]" {
		t.Errorf("names %q", names)
	}
}

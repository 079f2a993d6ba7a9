package ingress

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// CheckOrigins names each text that is not the origin of a page as browsers write it:
// a scheme, a host and perhaps a port.
func CheckOrigins(origins []string) error {
	var faults []error
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || !strings.EqualFold(u.Scheme+"://"+u.Host, origin) {
			faults = append(faults, fmt.Errorf("allowed origin %q: want one such as https://app.example.com", origin))
		}
	}
	return errors.Join(faults...)
}

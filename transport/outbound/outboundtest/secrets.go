package outboundtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// canary is in every secret that the suite plants.
const canary = "canary-of-secrets"

// keepsSecrets plants secrets in everything that may hold one, and searches what
// is said of the attempts.
func keepsSecrets(ctx context.Context, b *bench) error {
	foreign, err := transport.ParseEndpoint("x-outrider-foreign://host/path")
	if err != nil {
		return err
	}
	for _, peer := range append(b.others(), b.Healthy, foreign) {
		endpoint, err := withSecrets(peer)
		if err != nil {
			return err
		}
		m := b.message(endpoint, "payload: "+canary)
		m.Metadata = transport.Metadata{"x-outrider-test": canary}
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		done, err := b.end(b.begin(short, m))
		cancel()
		if err != nil {
			return err
		}
		if err := withoutSecrets(done); err != nil {
			return fmt.Errorf("%v: %w", peer, err)
		}
	}
	return nil
}

// withSecrets adds user information, a query parameter and an API key.
func withSecrets(endpoint transport.Endpoint) (transport.Endpoint, error) {
	u := endpoint.URL()
	if u.User == nil {
		u.User = url.UserPassword("user-"+canary, "password-"+canary)
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "token=query-" + canary
	return transport.ParseEndpoint(u.String() + "#key-" + canary)
}

func withoutSecrets(done outcome) error {
	if strings.Contains(done.receipt.Code+done.receipt.Note, canary) {
		return errors.New("the receipt's code or note holds a secret")
	}
	for _, err := range tree(done.err) {
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%q", err)} {
			if strings.Contains(text, canary) {
				return fmt.Errorf("an error of type %T holds a secret", err)
			}
		}
		if delivery, ok := err.(*outbound.DeliveryError); ok && strings.Contains(delivery.Op+delivery.Code, canary) { //nolint:errorlint // each error of the tree is looked at by itself
			return errors.New("the error's operation or code holds a secret")
		}
	}
	return nil
}

// tree returns an error and all that it wraps.
func tree(err error) []error {
	if err == nil {
		return nil
	}
	all := []error{err}
	switch wrapper := err.(type) { //nolint:errorlint // it walks the tree itself
	case interface{ Unwrap() error }:
		all = append(all, tree(wrapper.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, cause := range wrapper.Unwrap() {
			all = append(all, tree(cause)...)
		}
	}
	return all
}

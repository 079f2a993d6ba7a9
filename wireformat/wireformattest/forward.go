package wireformattest

import (
	"context"
	"errors"

	"github.com/outrider-go/outrider/wireformat"
)

// plain is a decorator that does nothing.
type plain struct{ wireformat.Format }

func (p plain) Unwrap() wireformat.Format { return p.Format }

// forwards wraps the format twice, and looks for what it can do.
func forwards(ctx context.Context, f wireformat.Format, features Features) error {
	wrap := func(f wireformat.Format) wireformat.Format { return plain{f} }
	wrapped := wireformat.Decorate(f, wrap, wrap)
	if err := errors.Join(
		found[wireformat.Recipienter](f, wrapped, "Recipienter"),
		found[wireformat.Sniffer](f, wrapped, "Sniffer"),
		found[wireformat.Stamper](f, wrapped, "Stamper"),
	); err != nil {
		return err
	}
	return roundTrip(ctx, wrapped, features)
}

func found[T any](f, wrapped wireformat.Format, name string) error {
	_, direct := wireformat.As[T](f)
	if _, through := wireformat.As[T](wrapped); direct != through {
		return errors.New(name + " is lost in a decorator")
	}
	return nil
}

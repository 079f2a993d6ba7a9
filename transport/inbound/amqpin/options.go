package amqpin

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/egress"
)

// Options of a [Transport]. The zero value works.
type Options struct {
	// AMQP are the options of the connection. OnEvent and Observe are called besides
	// what the transport does itself.
	AMQP amqp1.Options
	// Egress are the options of the dialer.
	Egress egress.Options
	// Source is what the messages come from, where the URL does not say it: filters
	// and link properties, for two. Its address is the URL's.
	Source amqp1.Source
	// Concurrency is how many messages are handled at once. More than one gives up
	// their order. The option of the URL goes before it. Default: 1.
	Concurrency int
	// WireFormat is the name of the transport's wire format. Default: each message
	// says its own.
	WireFormat string
	// Logger is told of links that are refused or lost. Default: none.
	Logger *zap.Logger
}

// maxConcurrency bounds the messages that one link has handled at once.
const maxConcurrency = 1024

// sourceOption sets an option of the URL.
type sourceOption func(t *Transport, value string) error

var sourceOptions = map[string]sourceOption{
	"concurrency":      number(maxConcurrency, func(t *Transport, n uint64) { t.options.Concurrency = int(n) }),
	"credit":           number(math.MaxInt32, func(t *Transport, n uint64) { t.source.Credit = int(n) }),
	"credit-threshold": number(math.MaxInt32, func(t *Transport, n uint64) { t.source.CreditThreshold = int(n) }),
	"max-message-size": number(math.MaxInt32, func(t *Transport, n uint64) { t.source.MaxMessageSize = n }),
	"fetch":            flag(func(t *Transport) *bool { return &t.source.Fetch }),
	"copy":             flag(func(t *Transport) *bool { return &t.source.Copy }),
	"dynamic":          flag(func(t *Transport) *bool { return &t.source.Dynamic }),
	"selector":         text(func(t *Transport) *string { return &t.source.Selector }),
	"link-name":        text(func(t *Transport) *string { return &t.source.LinkName }),
	"capabilities":     func(t *Transport, v string) error { amqp1.ReadNames(&t.source.Capabilities, v); return nil },
	"durability":       func(t *Transport, v string) error { return amqp1.ReadDurability(&t.source.Durability, v) },
	"expiry-policy":    func(t *Transport, v string) error { return amqp1.ReadExpiryPolicy(&t.source.ExpiryPolicy, v) },
	"expiry-timeout":   func(t *Transport, v string) error { return amqp1.ReadExpiryTimeout(&t.source.ExpiryTimeout, v) },
}

func number(most uint64, set func(t *Transport, n uint64)) sourceOption {
	return func(t *Transport, value string) error {
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || n == 0 || n > most {
			return fmt.Errorf("want a whole number of 1 to %d", most)
		}
		set(t, n)
		return nil
	}
}

func flag(of func(t *Transport) *bool) sourceOption {
	return func(t *Transport, value string) error { return amqp1.ReadBool(of(t), value) }
}

func text(of func(t *Transport) *string) sourceOption {
	return func(t *Transport, value string) error { *of(t) = value; return nil }
}

// readOptions takes the options of the URL. The error repeats no value.
func (t *Transport) readOptions(given map[string]string) error {
	for name, value := range given {
		set, known := sourceOptions[name]
		if !known && value == "" {
			return errors.New("an option without a value is not known") // it may be a token
		}
		if !known {
			names := amqp1.RemoteOptionNames()
			for known := range sourceOptions {
				names = append(names, known)
			}
			slices.Sort(names)
			return fmt.Errorf("option %q is not known: want %s", name, strings.Join(names, ", "))
		}
		if err := set(t, value); err != nil {
			return fmt.Errorf("option %s: %w", name, err)
		}
	}
	return nil
}

package agent

import (
	"slices"

	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/amqpjson"
	"github.com/outrider-go/outrider/wireformat/cloudevents"
	"github.com/outrider-go/outrider/wireformat/didcomm"
	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/webhook"
)

// Formats returns the wire formats that an agent knows, and more: one of these
// takes the place of a built-in one of its name.
func Formats(more ...wireformat.Format) (*wireformat.Registry, error) {
	signed, err := webhook.New(webhook.Options{})
	if err != nil {
		return nil, err
	}
	all := append(wireformat.Builtin(), signed, &amqpjson.Format{})
	all = append(all, serializer.Formats()...)
	all = append(all, cloudevents.Formats()...)
	all = append(all, didcomm.Formats(didcomm.Options{})...)
	all = slices.DeleteFunc(all, func(builtin wireformat.Format) bool {
		return slices.ContainsFunc(more, func(f wireformat.Format) bool { return f != nil && f.Name() == builtin.Name() })
	})
	return wireformat.NewRegistry(append(all, more...)...)
}

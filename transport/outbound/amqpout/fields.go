package amqpout

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport/amqp1"
)

// template is what the URI's options, or the metadata, say of a message.
type template struct {
	durable         *bool
	ttl             time.Duration
	priority        *uint8
	subject         string
	to              string
	replyTo         string
	correlationID   string
	groupID         string
	groupSequence   *uint32
	replyToGroupID  string
	contentType     string
	contentEncoding string
	userID          string
	value           bool // the body is an amqp-value
	properties      map[string]string
	annotations     map[string]string
	deliveryNotes   map[string]string
}

// field is one of a message, by its name in options and metadata.
type field struct {
	name string
	set  func(t *template, value string) error
}

// fieldPrefix begins the names of metadata that are fields of the message.
const fieldPrefix = "amqp."

var fields = []field{
	{"durable", func(t *template, v string) error { t.durable = new(bool); return amqp1.ReadBool(t.durable, v) }},
	{"ttl", func(t *template, v string) (err error) { t.ttl, err = readDuration(v); return err }},
	{"priority", func(t *template, v string) error { return readUint(&t.priority, v, 9) }},
	{"subject", text(func(t *template) *string { return &t.subject })},
	{"to", text(func(t *template) *string { return &t.to })},
	{"reply-to", text(func(t *template) *string { return &t.replyTo })},
	{"correlation-id", text(func(t *template) *string { return &t.correlationID })},
	{"group-id", text(func(t *template) *string { return &t.groupID })},
	{"group-sequence", func(t *template, v string) error { return readUint(&t.groupSequence, v, 1<<32-1) }},
	{"reply-to-group-id", text(func(t *template) *string { return &t.replyToGroupID })},
	{"content-type", symbol(func(t *template) *string { return &t.contentType })},
	{"content-encoding", symbol(func(t *template) *string { return &t.contentEncoding })},
	{"user-id", text(func(t *template) *string { return &t.userID })},
	{"body", readBody},
}

// families are fields with names of their own: "annotation.x-opt-key".
var families = []struct {
	prefix string
	put    func(t *template, name, value string)
}{
	{"property.", func(t *template, name, value string) { put(&t.properties, name, value) }},
	{"annotation.", func(t *template, name, value string) { put(&t.annotations, name, value) }},
	{"delivery-annotation.", func(t *template, name, value string) { put(&t.deliveryNotes, name, value) }},
}

var errUnknownField = errors.New("unknown")

// setField sets a field by its name. The error does not repeat the value.
func (t *template) setField(name, value string) error {
	for _, f := range fields {
		if f.name == name {
			if err := f.set(t, value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		}
	}
	for _, family := range families {
		if own, ok := strings.CutPrefix(name, family.prefix); ok && own != "" {
			family.put(t, own, value)
			return nil
		}
	}
	return errUnknownField
}

// fieldNames lists what setField knows.
func fieldNames() []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	for _, family := range families {
		names = append(names, family.prefix+"NAME")
	}
	return names
}

func text(of func(*template) *string) func(*template, string) error {
	return func(t *template, value string) error { *of(t) = value; return nil }
}

func symbol(of func(*template) *string) func(*template, string) error {
	return func(t *template, value string) error {
		if !isASCII(value) {
			return errors.New("want ASCII characters only")
		}
		*of(t) = value
		return nil
	}
}

func isASCII(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f })
}

func readBody(t *template, value string) error {
	if value != "data" && value != "value" {
		return errors.New("want data or value")
	}
	t.value = value == "value"
	return nil
}

func readDuration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, errors.New("want a duration such as 1m30s")
	}
	return d, nil
}

func readUint[N uint8 | uint32](into **N, value string, most uint64) error {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n > most {
		return fmt.Errorf("want a whole number of at most %d", most)
	}
	number := N(n)
	*into = &number
	return nil
}

func put(all *map[string]string, name, value string) {
	if *all == nil {
		*all = map[string]string{}
	}
	(*all)[name] = value
}

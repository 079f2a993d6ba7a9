package amqpout

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
)

// route is what an endpoint and its profile say: whom to connect to, which node to
// send to, and how the messages are to be.
type route struct {
	remote   amqp1.Remote // without a dialer
	target   amqp1.Target
	template template
	settled  bool
	relay    bool   // over the anonymous terminus
	node     string // the address, also where the link has none
}

// linkOptions are the options that are not fields of the message.
var linkOptions = []struct {
	name string
	set  func(r *route, value string) error
}{
	{"relay", func(r *route, v string) error { return amqp1.ReadBool(&r.relay, v) }},
	{"settled", func(r *route, v string) error { return amqp1.ReadBool(&r.settled, v) }},
	{"exactly-once", func(r *route, v string) error { return amqp1.ReadBool(&r.target.SettleSecond, v) }},
	{"window", func(r *route, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > amqp1.MaxWindow {
			return fmt.Errorf("want a whole number of 1 to %d", amqp1.MaxWindow)
		}
		r.target.Window = n
		return nil
	}},
	{"durability", func(r *route, v string) error { return amqp1.ReadDurability(&r.target.Durability, v) }},
	{"expiry-policy", func(r *route, v string) error { return amqp1.ReadExpiryPolicy(&r.target.ExpiryPolicy, v) }},
	{"expiry-timeout", func(r *route, v string) error { return amqp1.ReadExpiryTimeout(&r.target.ExpiryTimeout, v) }},
	{"capabilities", func(r *route, v string) error { amqp1.ReadNames(&r.target.Capabilities, v); return nil }},
}

// newRoute reads an endpoint for a profile. The error repeats no value.
func newRoute(p *profile.Profile, e transport.Endpoint) (*route, error) {
	uri, err := amqp1.ParseURI(p, e)
	if err != nil {
		return nil, err
	}
	r := &route{remote: uri.Remote, node: uri.Node}
	for _, name := range slices.Sorted(maps.Keys(uri.Options)) {
		if err := r.set(name, uri.Options[name]); err != nil {
			return nil, err
		}
	}
	if err := r.finish(); err != nil {
		return nil, err
	}
	return r, nil
}

// Link returns what an endpoint says, for a profile, of the peer and of the link to its
// node. The remote has no dialer. The error repeats no value.
func Link(p *profile.Profile, e transport.Endpoint) (amqp1.Remote, amqp1.Target, error) {
	r, err := newRoute(p, e)
	if err != nil {
		return amqp1.Remote{}, amqp1.Target{}, err
	}
	return r.remote, r.target, nil
}

func (r *route) set(name, value string) error {
	for _, option := range linkOptions {
		if option.name != name {
			continue
		}
		if err := option.set(r, value); err != nil {
			return fmt.Errorf("option %s: %w", name, err)
		}
		return nil
	}
	err := r.template.setField(name, value)
	if errors.Is(err, errUnknownField) && value == "" {
		return errors.New("an option without a value is not known") // it may be a token
	}
	if errors.Is(err, errUnknownField) {
		return fmt.Errorf("option %q is not known: want %s", name, strings.Join(optionNames(), ", "))
	}
	if err != nil {
		return fmt.Errorf("option %w", err)
	}
	return nil
}

func optionNames() []string {
	names := amqp1.RemoteOptionNames()
	for _, option := range linkOptions {
		names = append(names, option.name)
	}
	return append(names, fieldNames()...)
}

// finish settles what the options say together.
func (r *route) finish() error {
	switch {
	case r.node == "":
		return errors.New("the address is missing: write it as the path, such as amqp://host/queue")
	case r.relay && r.settled:
		return errors.New("option relay with option settled: nobody would learn that there is no such node")
	case !r.relay:
		r.target.Address = r.node
	}
	if r.template.to == "" {
		r.template.to = r.node
	}
	return nil
}

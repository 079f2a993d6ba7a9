package wamp2

import (
	"cmp"
	"context"
	"errors"
	"net"
	"time"

	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// Dial connects to a host and port, and makes the TLS handshake where the URL is a
// wss one. ctx bounds it.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Options of [Join]. The zero value works.
type Options struct {
	// Serializers are offered to the router, the best first. Default: cbor, msgpack
	// and json.
	Serializers []*wamp.Serializer
	// Auth are the methods of authentication that are offered, the best first.
	// Default: Anonymous.
	Auth []Authenticator
	// AuthID is who joins. Default: none, or the router's choice.
	AuthID string
	// Agent names the client to the router. Default: "outrider".
	Agent string
	// Codec encodes and decodes payloads. Default: none.
	Codec wamp.Codec
	// Style is how encoded payloads are marked. Default: autobahn's.
	Style wamp.Style
	// MaxMessage bounds messages in both directions, in bytes. Default: 16 MiB.
	MaxMessage int64
	// WriteTimeout bounds the writing of one message. Default: 10 s.
	WriteTimeout time.Duration
	// PingInterval is when the router is asked for a sign of life after silence. The
	// session ends when it gives none for twice as long. Negative: never. Default:
	// 20 s.
	PingInterval time.Duration
	// EventBuffer is how many events may wait for their handlers. Default: 1024.
	EventBuffer int
	// MaxInvocations is how many invocations are handled at one time; others are
	// answered as unavailable. Default: 64.
	MaxInvocations int
}

func (o Options) withDefaults() (Options, error) {
	var faults []error
	for name, negative := range map[string]bool{
		"MaxMessage": o.MaxMessage < 0, "WriteTimeout": o.WriteTimeout < 0,
		"EventBuffer": o.EventBuffer < 0, "MaxInvocations": o.MaxInvocations < 0,
	} {
		if negative {
			faults = append(faults, errors.New("wamp2 options: "+name+" is negative"))
		}
	}
	if len(o.Serializers) == 0 {
		all, err := Serializers()
		o.Serializers, faults = all, append(faults, err)
	}
	if len(o.Auth) == 0 {
		o.Auth = []Authenticator{Anonymous{}}
	}
	o.Agent = cmp.Or(o.Agent, "outrider")
	o.MaxMessage = cmp.Or(o.MaxMessage, 16<<20)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	o.PingInterval = cmp.Or(o.PingInterval, 20*time.Second)
	o.EventBuffer = cmp.Or(o.EventBuffer, 1024)
	o.MaxInvocations = cmp.Or(o.MaxInvocations, 64)
	return o, errors.Join(faults...)
}

// Serializers returns those that are offered by default.
func Serializers() ([]*wamp.Serializer, error) {
	cbor, err1 := serializer.NewCBOR(serializer.CBOROptions{})
	msgpack, err2 := serializer.NewMsgPack(serializer.Limits{})
	json, err3 := serializer.NewJSON(serializer.Limits{})
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	var all []*wamp.Serializer
	for _, wire := range []serializer.Serializer{cbor, msgpack, json} {
		s, err := wamp.NewSerializer(wire, wamp.SerializerOptions{})
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

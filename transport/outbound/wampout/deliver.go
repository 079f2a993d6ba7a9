package wampout

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/wamp2"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// publishOnce publishes and waits for the router's acknowledgement.
func (t *Transport) publishOnce(ctx context.Context, s *wamp2.Session, m *outbound.Message, to target, p wamp.Payload) (outbound.Receipt, *outbound.DeliveryError) {
	started := time.Now()
	publication, err := s.Publish(ctx, to.topic, p, nil)
	t.publish.Observe(time.Since(started))
	if err != nil {
		return outbound.Receipt{}, requestFault(m, "publish", err)
	}
	return outbound.Receipt{
		Evidence: transport.Accepted, Code: "published", Note: "publication " + strconv.FormatInt(int64(publication), 10),
	}, nil
}

// callOnce calls and waits for the result.
func (t *Transport) callOnce(ctx context.Context, s *wamp2.Session, m *outbound.Message, to target, p wamp.Payload) (outbound.Receipt, *outbound.DeliveryError) {
	started := time.Now()
	result, err := s.Call(ctx, to.topic, p, nil)
	t.call.Observe(time.Since(started))
	if err != nil {
		return outbound.Receipt{}, requestFault(m, "call", err)
	}
	receipt := outbound.Receipt{Evidence: transport.Acknowledged, Code: "result", Response: t.response(result, m)}
	if t.options.OnReply != nil {
		fault := outbound.TakeReply(&receipt, t.options.Logger, func() error { return t.options.OnReply(ctx, m, result) })
		if fault != nil {
			fault.Transport, fault.Endpoint = name, m.Endpoint
		}
		return receipt, fault
	}
	return receipt, nil
}

// response is the start of a result as JSON, without the secrets of the endpoint,
// should the callee repeat them.
func (t *Transport) response(result wamp.Payload, m *outbound.Message) []byte {
	if t.options.KeepResponse == 0 || result.IsZero() {
		return nil
	}
	text, err := t.json.Serialize(nil, map[string]any{"args": result.Args, "kwargs": result.Kwargs})
	if err != nil {
		return nil // JSON cannot say it
	}
	text = hide(text, m.Endpoint)
	return bytes.Clone(text[:min(len(text), t.options.KeepResponse)])
}

func hide(text []byte, e transport.Endpoint) []byte {
	secrets := []string{e.APIKey().Reveal()}
	if u := e.URL(); u.User != nil {
		password, _ := u.User.Password()
		secrets = append(secrets, u.User.Username(), password)
	}
	return transport.Mask(text, secrets)
}

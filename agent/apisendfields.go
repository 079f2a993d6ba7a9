package agent

import (
	"encoding"
	"errors"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func setPayload(request *SendRequest, message *outbound.Message) error {
	switch {
	case request.Payload != nil && request.PayloadBase64 != nil:
		return fieldError("payload_base64", "payload is given too: send one of them")
	case request.Payload != nil:
		message.Payload, message.Text = []byte(*request.Payload), true
	case request.PayloadBase64 != nil:
		message.Payload = request.PayloadBase64
	default:
		return fieldError("payload", `is missing: give payload or payload_base64; "" is an empty one`)
	}
	return nil
}

func setEndpoints(request *SendRequest, message *outbound.Message) (err error) {
	if request.Endpoint != "" || request.Session == "" && len(request.Recipients) == 0 {
		if message.Endpoint, err = readEndpoint("endpoint", request.Endpoint); err != nil {
			return err
		}
	}
	for i, text := range request.Alternates {
		endpoint, err := readEndpoint("alternates", text)
		if field, ok := errors.AsType[*outbound.FieldError](err); ok {
			return fieldError("alternates", "entry %d: %w", i+1, field.Err)
		}
		if err != nil {
			return err
		}
		message.Alternates = append(message.Alternates, endpoint)
	}
	return nil
}

// readEndpoint parses an endpoint that stands in a field. A pickup is the one of its
// recipient, however their keys are written.
func readEndpoint(field, text string) (transport.Endpoint, error) {
	endpoint, err := transport.ParseEndpoint(text)
	if fault, ok := errors.AsType[*transport.EndpointError](err); ok {
		return endpoint, fieldError(field, "%s", fault.Reason)
	}
	if endpoint.Scheme() != transport.SchemePickup {
		return endpoint, err
	}
	peer, err := transport.ParsePeer(endpoint)
	if err != nil {
		return endpoint, fieldError(field, "%w", err)
	}
	return peer.PickupEndpoint()
}

func setRetry(request *SendRequest, message *outbound.Message) error {
	if request.Retry == "" {
		return nil
	}
	policy, err := outbound.ParseRetryPolicy(request.Retry)
	if err != nil {
		return fieldError("retry", "%w", err)
	}
	message.Retry = &policy
	return nil
}

// setWords reads the fields that are one of a few words.
func setWords(request *SendRequest, message *outbound.Message) error {
	for _, field := range []struct {
		name, text string
		target     encoding.TextUnmarshaler
	}{
		{"priority", request.Priority, &message.Priority},
		{"min_evidence", request.MinEvidence, &message.MinEvidence},
	} {
		if field.text == "" {
			continue
		}
		if err := field.target.UnmarshalText([]byte(field.text)); err != nil {
			return fieldError(field.name, "%w", err)
		}
	}
	return nil
}

package outbound

import (
	"fmt"

	"github.com/outrider-go/outrider/transport"
)

// EvidenceLimiter is a Transport that says how strong the evidence it gives can be
// at most. A message that demands more is refused when it is accepted.
type EvidenceLimiter interface {
	MaxEvidence() transport.Evidence
}

// minEvidence is what counts as delivered: the message's own demand where it has
// one, also a weaker one, since its sender knows what is at stake; else its
// profile's.
func minEvidence(message *Message) transport.Evidence {
	if message.MinEvidence != transport.None {
		return message.MinEvidence
	}
	return message.Profile.MinEvidence()
}

// checkEvidence refuses a demand that the transport can never meet.
func (r *registered) checkEvidence(demanded transport.Evidence) error {
	if r.limiter == nil {
		return nil
	}
	if most := r.limiter.MaxEvidence(); most < demanded {
		return &FieldError{"min_evidence", fmt.Errorf("%s is more than transport %s can give, which is %s", demanded, r.name, most)}
	}
	return nil
}

// weakEvidence is the error of an attempt that succeeded with less evidence than
// the message demands: the payload was written, and it is not known whether it
// arrived. Nil where it is enough.
func weakEvidence(receipt *Receipt, demanded transport.Evidence, r *registered, endpoint transport.Endpoint) error {
	if receipt.Evidence >= demanded {
		return nil
	}
	return &DeliveryError{
		Op: "confirm", Transport: r.name, Endpoint: endpoint, Class: transport.Unknown, MaybeSent: true,
		Code: receipt.Code, Response: receipt.Response,
		Err: fmt.Errorf("evidence %s is less than %s, which the message demands", receipt.Evidence, demanded),
	}
}

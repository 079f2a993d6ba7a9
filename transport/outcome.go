package transport

import "fmt"

// Class says what an attempt's outcome means for the message, the same for
// every scheme.
type Class string

// The classes of an outcome.
const (
	// Success: the payload arrived, with the evidence the receipt states.
	Success Class = "success"
	// Permanent: no later attempt can succeed.
	Permanent Class = "permanent"
	// Temporary: a later attempt may succeed. It is what an error without a
	// class counts as.
	Temporary Class = "temporary"
	// Throttled: the destination asked for a pause.
	Throttled Class = "throttled"
	// Unknown: the payload was written and the answer was lost. It may have
	// arrived; the next attempt carries the same id so that the receiver can tell.
	Unknown Class = "unknown"
)

// Evidence says how much is known of a payload's arrival. Values are ordered:
// a stronger one is greater.
type Evidence uint8

// The kinds of evidence, weakest first.
const (
	// None: nothing left this process, as far as is known.
	None Evidence = iota
	// Written: the bytes were handed to the socket. The peer may never see them.
	Written
	// Acknowledged: the peer's application answered: an HTTP 2xx, a WebSocket
	// acknowledgement.
	Acknowledged
	// Accepted: a broker took responsibility: an AMQP accepted outcome.
	Accepted
)

var evidenceNames = [...]string{"none", "written", "acknowledged", "accepted"}

// String returns "none", "written", "acknowledged" or "accepted".
func (e Evidence) String() string {
	if int(e) < len(evidenceNames) {
		return evidenceNames[e]
	}
	return fmt.Sprintf("evidence(%d)", uint8(e))
}

// MarshalText returns what String returns.
func (e Evidence) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what String returns.
func (e *Evidence) UnmarshalText(text []byte) error {
	for i, name := range evidenceNames {
		if name == string(text) {
			*e = Evidence(i)
			return nil
		}
	}
	return fmt.Errorf("unknown evidence %q: want none, written, acknowledged or accepted", text)
}

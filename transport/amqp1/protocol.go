package amqp1

import (
	"bytes"
	"fmt"
)

// header returns the header of a protocol (part 2, section 2.2): 0 is AMQP, 3 is
// SASL.
func header(id byte) []byte { return []byte{'A', 'M', 'Q', 'P', id, 1, 0, 0} }

// checkHeader says what the peer speaks when it did not answer with the header of
// the protocol.
func checkHeader(got []byte, id byte) error {
	switch {
	case bytes.Equal(got, header(id)):
		return nil
	case bytes.HasPrefix(got, []byte("AMQP")):
		switch {
		case got[4] == 3 && got[5] == 1:
			return &ProtocolError{"AMQP 1.0 only behind SASL"}
		case got[4] == 0 && got[5] == 1:
			return &ProtocolError{"AMQP 1.0 only without SASL"}
		case got[5] == 0 && got[6] == 9, got[4] == 0 && got[5] == 0, got[4] == 1 && got[5] == 1:
			return &ProtocolError{fmt.Sprintf("AMQP %s", oldVersion(got))}
		}
		return &ProtocolError{fmt.Sprintf("AMQP in version %d.%d.%d", got[5], got[6], got[7])}
	case bytes.HasPrefix(got, []byte("HTTP")):
		return &ProtocolError{"HTTP"}
	case got[0] == 0x15 || got[0] == 0x16, got[0] == 0x03:
		return &ProtocolError{"TLS: use amqps"}
	}
	return &ProtocolError{"something else"}
}

// oldVersion names what the headers of AMQP before 1.0 say: "AMQP" 0 0 9 1 for
// 0-9-1, "AMQP" 1 1 0 9 for 0-9, "AMQP" 1 1 0 10 for 0-10.
func oldVersion(got []byte) string {
	if got[4] == 1 {
		return fmt.Sprintf("%d-%d", got[6], got[7])
	}
	return fmt.Sprintf("%d-%d-%d", got[5], got[6], got[7])
}

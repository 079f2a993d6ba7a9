package outbound

import (
	"bytes"
	"maps"
	"slices"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

// maxEncodings is how many encodings of a batch are kept for the messages after
// them: those of a fan-out differ by format and recipients only.
const maxEncodings = 16

// encodings are those that a batch has made already, so that a fan-out to many
// endpoints costs one for each format. The newest is the last.
type encodings struct{ made []encoding }

// encoding is what was encoded, how and for whom.
type encoding struct {
	format  string
	tenant  *profile.Profile
	message wireformat.Message
	target  wireformat.Target
	frame   wireformat.Frame
}

// find returns the frame of an encoding that differs from e by the message's id at
// most.
func (s *encodings) find(e *encoding) (wireformat.Frame, bool) {
	for i := range slices.Backward(s.made) {
		if s.made[i].same(e) {
			return s.made[i].frame, true
		}
	}
	return wireformat.Frame{}, false
}

func (s *encodings) keep(e encoding) {
	if len(s.made) == maxEncodings {
		s.made = slices.Delete(s.made, 0, 1)
	}
	s.made = append(s.made, e)
}

func (e *encoding) same(other *encoding) bool {
	a, b := &e.message, &other.message
	return e.format == other.format && e.tenant == other.tenant &&
		a.ContentType == b.ContentType && a.Text == b.Text && bytes.Equal(a.Payload, b.Payload) && maps.Equal(a.Metadata, b.Metadata) &&
		e.target.Sender == other.target.Sender && slices.Equal(e.target.Recipients, other.target.Recipients) &&
		slices.Equal(e.target.Routing, other.target.Routing)
}

// shares reports whether the frame of a message is good for others.
func shares(format wireformat.Format, m wireformat.Message) bool {
	sharer, ok := format.(wireformat.Sharer)
	return ok && sharer.Shares(m)
}

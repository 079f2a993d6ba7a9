package amqp1

import "fmt"

// Frame is one that was sent or received, for Options.Trace.
type Frame struct {
	Sent    bool
	Channel uint16
	// Performative is its name, "heartbeat" for an empty frame.
	Performative string
	// Size in bytes, header and payload included.
	Size int
	// Fields are the numbers and flags of the performative in words. No text of the
	// peer or of a message is in it.
	Fields string
}

func (g *guard) traceFrame(sent bool, f *frame) {
	if g.trace == nil {
		return
	}
	name := performatives[f.code]
	if f.code == 0 {
		name = "heartbeat"
	}
	g.trace(Frame{Sent: sent, Channel: f.channel, Performative: name, Size: len(f.bytes), Fields: describe(f)})
}

// describe puts the fields into words that matter most.
func describe(f *frame) string {
	list := f.fields
	switch f.code {
	case codeAttach:
		list.next()
		handle, _ := list.uint()
		role := "sender"
		if list.bool() {
			role = "receiver"
		}
		return fmt.Sprintf("handle=%d role=%s", handle, role)
	case codeFlow:
		next, _ := list.uint()
		window, _ := list.uint()
		list.skip(2)
		handle, ofLink := list.uint()
		count, _ := list.uint()
		credit, _ := list.uint()
		if !ofLink {
			return fmt.Sprintf("next-incoming-id=%d incoming-window=%d", next, window)
		}
		return fmt.Sprintf("next-incoming-id=%d incoming-window=%d handle=%d delivery-count=%d link-credit=%d", next, window, handle, count, credit)
	case codeTransfer:
		handle, _ := list.uint()
		id, _ := list.uint()
		list.skip(2)
		settled, more := list.bool(), list.bool()
		return fmt.Sprintf("handle=%d delivery-id=%d settled=%t more=%t", handle, id, settled, more)
	case codeDisposition:
		role := "sender"
		if list.bool() {
			role = "receiver"
		}
		first, _ := list.uint()
		last, ranged := list.uint()
		if !ranged {
			last = first
		}
		settled := list.bool()
		return fmt.Sprintf("role=%s first=%d last=%d settled=%t state=%s", role, first, last, settled, stateOf(&list))
	case codeDetach:
		handle, _ := list.uint()
		return fmt.Sprintf("handle=%d closed=%t", handle, list.bool())
	}
	return ""
}

var states = map[byte]string{0x23: "received", 0x24: "accepted", 0x25: "rejected", 0x26: "released", 0x27: "modified"}

func stateOf(list *fields) string {
	constructor, body := list.next()
	if constructor != 0 {
		return "none"
	}
	code, _, _ := descriptor(body)
	if name := states[code]; name != "" {
		return name
	}
	return "unknown"
}

package amqp1

import "encoding/binary"

// Write implements net.Conn. go-amqp writes one frame, or the protocol's header,
// with each call.
func (g *guard) Write(p []byte) (int, error) {
	if len(p) >= frameHeader && binary.BigEndian.Uint32(p) == uint32(len(p)) { //nolint:gosec // go-amqp's frames are shorter
		if f, err := parseFrame(p); err == nil {
			g.framesOut.Add(1)
			g.traceFrame(true, &f)
			g.sending(&f)
		}
	}
	g.bytesOut.Add(int64(len(p)))
	if err := g.out.write(p); err != nil {
		return 0, g.fail(err)
	}
	return len(p), nil
}

// sending reads a frame of ours before it leaves.
func (g *guard) sending(f *frame) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch f.code {
	case codeBegin:
		g.local[f.channel] = &sessionView{
			out: map[uint32]*linkView{}, in: map[uint32]*linkView{}, refused: map[uint32]bool{},
		}
	case codeAttach:
		g.attaching(f)
	case codeTransfer:
		g.transferring(f)
	case codeDetach:
		if session := g.local[f.channel]; session != nil {
			list := f.fields
			handle, _ := list.uint()
			if view := session.out[handle]; view != nil {
				g.lose(view, peerError{})
				delete(session.out, handle)
				if g.links[view.name] == view {
					delete(g.links, view.name)
				}
			}
		}
	case codeEnd:
		g.ending(f.channel)
	}
}

func (g *guard) attaching(f *frame) {
	session := g.local[f.channel]
	if session == nil {
		return
	}
	list := f.fields
	name := list.text()
	handle, _ := list.uint()
	receives := list.bool() // we do
	view := g.links[name]
	if view == nil || receives {
		view = newLinkView(name, !receives)
		g.links[name] = view
	}
	session.out[handle] = view
}

// transferring counts what is sent, and lets dispositions go that came too early
// for a delivery which is complete now.
func (g *guard) transferring(f *frame) {
	session := g.local[f.channel]
	if session == nil {
		return
	}
	list := f.fields
	handle, _ := list.uint()
	view := session.out[handle]
	if view == nil {
		return
	}
	if id, numbered := list.uint(); numbered {
		view.delivery = id
		view.begun.Add(1)
		view.begin(id)
	}
	list.skip(3)
	view.incomplete = list.bool()
	if view.incomplete {
		return
	}
	view.written()
	if len(session.held) > 0 {
		g.ready = append(g.ready, session.held...)
		for _, whole := range session.held {
			if f, err := parseFrame(whole); err == nil {
				session.settle(readDisposition(&f))
			}
		}
		session.held = nil
		g.wake()
	}
}

func (g *guard) ending(channel uint16) {
	session := g.local[channel]
	if session == nil {
		return
	}
	delete(g.local, channel)
	g.loseAll(session, peerError{})
}

package inbound

import (
	"slices"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// maxThreads is how many threads of one key are remembered: the latest.
const maxThreads = 64

// mode is which messages a session takes for one key.
type mode uint8

const (
	modeUnset  mode = iota // nobody said
	modeNone               // the peer said that it takes none
	modeThread             // those of some threads
	modeAll
)

var modeNames = [...]string{modeUnset: "", modeNone: wireformat.ReturnRouteNone, modeThread: wireformat.ReturnRouteThread, modeAll: wireformat.ReturnRouteAll}

// route is what one peer of a session has asked for: a sender's key, within the
// profile it sent to. Without a key it is somebody who is reached by the session
// alone.
type route struct {
	profile, key string
	mode         mode
	threads      []string
}

// ask heeds a message's return route, and reports whether more messages are taken
// than before. What was asked for holds until the peer says none: a message that
// says nothing changes nothing, and one that asks for less takes nothing back.
func (r *route) ask(returnRoute, thread string) (more bool) {
	switch returnRoute {
	case wireformat.ReturnRouteNone:
		r.mode, r.threads = modeNone, nil
	case wireformat.ReturnRouteAll:
		more = r.mode != modeAll
		r.mode, r.threads = modeAll, nil
	case wireformat.ReturnRouteThread:
		if r.mode == modeAll || thread == "" || slices.Contains(r.threads, thread) {
			return false
		}
		if len(r.threads) == maxThreads {
			r.threads = slices.Delete(r.threads, 0, 1)
		}
		r.mode, r.threads, more = modeThread, append(r.threads, thread), true
	}
	return more
}

// takes reports whether a message of that thread, or of none, goes this way.
func (r *route) takes(thread string) bool {
	return r.mode == modeAll || r.mode == modeThread && thread != "" && slices.Contains(r.threads, thread)
}

// serves reports whether the route is one of the peer's and takes the message. A
// peer that is named by its session alone takes all, unless it said none.
func (r *route) serves(profile string, to *transport.Peer) bool {
	if r.profile != profile {
		return false
	}
	if len(to.Keys) == 0 {
		return r.mode != modeNone
	}
	return r.key != "" && slices.Contains(to.Keys, r.key) && r.takes(to.Thread)
}

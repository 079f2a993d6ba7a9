package wsin

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
)

// maxUnacknowledged is how many messages are written ahead of their pongs.
const maxUnacknowledged = 64

// writer writes what waits in the session, on a goroutine that exists while there
// is something.
type writer struct {
	socket *socket

	mu       sync.Mutex
	running  bool
	again    bool // there was something new while it ran
	ended    bool
	pings    uint64 // number of the last ping
	unproven []written
}

// written is a message whose pong has not come.
type written struct {
	out  *inbound.Outgoing
	ping uint64
	at   time.Time
}

// ready is told by the session that something waits.
func (s *socket) ready() {
	w := &s.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	w.again = true
	if w.running || w.ended {
		return
	}
	w.running = true
	s.work.Go(w.run)
}

func (w *writer) run() {
	for w.more() {
		w.batch()
	}
	w.socket.settled()
}

// more reports whether to look again, or ends.
func (w *writer) more() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = w.again && !w.ended && len(w.unproven) < maxUnacknowledged
	w.again = w.again && !w.running
	return w.running
}

// batch writes what waits, and a ping behind it.
func (w *writer) batch() {
	acks := w.socket.t.options.Acks == AckPing
	for n := range maxUnacknowledged {
		out := w.socket.session.Pop()
		if out == nil {
			if n > 0 && acks {
				w.ping()
			}
			return
		}
		if err := w.write(out, acks); err != nil {
			w.lost(out, err)
			return
		}
		if !acks {
			out.Done(transport.Written, nil)
		}
	}
	if acks {
		w.ping()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.again = true // there may be more
}

// write writes one message. With acks it is kept until its pong, from before it
// is written: the pong must not come first.
func (w *writer) write(out *inbound.Outgoing, acks bool) error {
	if acks {
		w.mu.Lock()
		ended := w.ended
		if !ended {
			w.unproven = append(w.unproven, written{out, w.pings + 1, time.Now()})
		}
		w.mu.Unlock()
		if ended {
			return inbound.ErrUnwritten
		}
	}
	kind := websocket.BinaryMessage
	if out.Frame.Text && utf8.Valid(out.Frame.Body) {
		kind = websocket.TextMessage
	}
	conn := w.socket.conn
	_ = conn.SetWriteDeadline(time.Now().Add(w.socket.t.options.WriteTimeout)) // it only keeps the time
	err := conn.WriteMessage(kind, out.Frame.Body)
	if errors.Is(err, websocket.ErrCloseSent) {
		err = fmt.Errorf("%w: %w", inbound.ErrUnwritten, err)
	}
	return err
}

// lost ends a connection that cannot be written to: what became of the message is
// not known, unless the error says so.
func (w *writer) lost(out *inbound.Outgoing, err error) {
	out.Done(transport.None, err)
	if !errors.Is(err, inbound.ErrUnwritten) {
		_ = w.socket.conn.Close() // the reader notices
	}
}

// ping asks for the proof of what was written.
func (w *writer) ping() {
	w.mu.Lock()
	w.pings++
	number := w.pings
	w.mu.Unlock()
	payload := strconv.AppendUint([]byte(ackPrefix), number, 10)
	// A connection that fails is the reader's to notice.
	_ = w.socket.conn.WriteControl(websocket.PingMessage, payload, time.Now().Add(w.socket.t.options.WriteTimeout))
}

// acknowledge takes what stands before a ping as read by the peer.
func (w *writer) acknowledge(number string) {
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return // not ours
	}
	w.mu.Lock()
	if n > w.pings {
		w.mu.Unlock()
		return // nobody has asked that
	}
	count := 0
	for count < len(w.unproven) && w.unproven[count].ping <= n {
		count++
	}
	proven := w.unproven[:count]
	w.unproven = w.unproven[count:]
	if len(w.unproven) == 0 {
		w.unproven = nil // an idle socket keeps no memory for it
	}
	w.mu.Unlock()
	if count == 0 {
		return
	}
	for _, p := range proven {
		p.out.Done(transport.Acknowledged, nil)
	}
	w.socket.ready() // some may have waited for room
}

// errUnproven: a message was written, and its pong did not come.
var errUnproven = errors.New("the connection ended before the peer had acknowledged the message")

// fail ends the writing: what has no proof may have arrived.
func (w *writer) fail() {
	w.mu.Lock()
	w.ended = true
	unproven := w.unproven
	w.unproven = nil
	w.mu.Unlock()
	for _, u := range unproven {
		u.out.Done(transport.None, errUnproven)
	}
}

func (w *writer) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.running && len(w.unproven) == 0
}

// overdue reports whether a pong has not come for that long.
func (w *writer) overdue(limit time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.unproven) > 0 && time.Since(w.unproven[0].at) > limit
}

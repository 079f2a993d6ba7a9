package amqp1

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/transport/amqp1/verbatim"
)

// ErrGuard is the kind of error for what a peer must not send and go-amqp would
// choke on. The connection ends.
var ErrGuard = errors.New("refused by the frame guard")

// maxSpan is how many deliveries one disposition may settle: go-amqp visits each
// of them, whether it exists or not.
const maxSpan = 1 << 16

// maxHeld is how many dispositions may come before their deliveries are written
// to their end.
const maxHeld = 64

// guard is the connection under go-amqp. It passes frames on and reads along, in
// both directions:
//
//   - What would hurt go-amqp is kept from it: a frame that is too long, a flow for
//     a link without its credit (it panics), a disposition over a huge range (it
//     spins), a delivery numbered 2^32-1 (it spins when that is settled), a flow
//     for a link whose attach the peer refuses (it ends the connection), a
//     disposition for a delivery that is not written to its end (it is lost), and a
//     detach that does not close (the link never ends).
//   - What go-amqp hides is kept: the peer's open, the credit of each link, whether
//     a link still stands, and how much of a message was written.
//   - What go-amqp writes frame by frame leaves together ([coalescer]).
//
// One goroutine reads and one writes, as go-amqp does; the rest is safe for
// concurrent use.
type guard struct {
	net.Conn
	out     *coalescer
	limit   uint32 // of a frame that comes in
	trace   func(Frame)
	aborted sync.Once

	framesIn, framesOut, bytesIn, bytesOut atomic.Int64

	// The reader's.
	greeted  bool
	buf      []byte // what came in is buf[start:end]
	start    int
	end      int
	approved []byte // checked, and to be handed out next

	mu       sync.Mutex // guards what follows
	peer     PeerInfo
	local    map[uint16]*sessionView // by our channel
	remote   map[uint16]*sessionView // by the peer's
	links    map[string]*linkView
	ready    [][]byte // held frames that may be handed out
	deadline time.Time
	fault    error     // why the reader or the writer ended it
	closing  peerError // the peer's, of the connection
	closed   bool
	onClose  func()
}

// sessionView is what the guard knows of a session.
type sessionView struct {
	out     map[uint32]*linkView // by our handle
	in      map[uint32]*linkView // by the peer's
	refused map[uint32]bool      // the peer's handles of links it refuses
	held    [][]byte             // dispositions for a delivery that is not complete
}

func newGuard(conn net.Conn, limit uint32, writeTimeout time.Duration, trace func(Frame)) *guard {
	g := &guard{
		Conn: conn, limit: limit, trace: trace,
		local: map[uint16]*sessionView{}, remote: map[uint16]*sessionView{}, links: map[string]*linkView{},
	}
	g.out = newCoalescer(conn, writeTimeout, g.failWrite)
	return g
}

// fail notes why the connection ends, the first reason only.
func (g *guard) fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fault == nil {
		g.fault = err
	}
	return err
}

func (g *guard) failWrite(err error) {
	_ = g.fail(err)
	_ = g.Conn.Close() // the reader ends, and go-amqp with it
}

// cause returns why the connection ended, as far as the guard knows.
func (g *guard) cause() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault
}

// peerInfo returns what the peer's open said.
func (g *guard) peerInfo() PeerInfo {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.peer
}

// link returns the view of a sending link that is about to be attached.
func (g *guard) link(name string) *linkView {
	g.mu.Lock()
	defer g.mu.Unlock()
	view := newLinkView(name, true)
	g.links[name] = view
	return view
}

// Close implements net.Conn. What was written before leaves first, within a
// second.
func (g *guard) Close() error {
	g.out.close(time.Second)
	return g.abort()
}

// abort closes the connection at once.
func (g *guard) abort() error {
	err := g.Conn.Close()
	g.aborted.Do(func() {
		g.out.close(0)
		<-g.out.done
		if onClose := g.endAll(); onClose != nil {
			onClose()
		}
	})
	return err
}

// whenClosed has do called once when the connection is closed, or at once where it
// is.
func (g *guard) whenClosed(do func()) {
	g.mu.Lock()
	closed := g.closed
	g.onClose = do
	g.mu.Unlock()
	if closed {
		do()
	}
}

// endAll tells every link that it is gone, and returns who else is to be told.
func (g *guard) endAll() (onClose func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, view := range g.links {
		g.lose(view, g.closing)
	}
	clear(g.links)
	clear(g.local)
	clear(g.remote)
	return g.onClose
}

// SetDeadline implements net.Conn. Only reading has one here: go-amqp's deadline
// for writing is replaced by the coalescer's own.
func (g *guard) SetDeadline(t time.Time) error { return g.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (g *guard) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (g *guard) SetReadDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = t
	return g.Conn.SetReadDeadline(t)
}

// wake has a reader that waits look for frames that are ready. For those who hold
// the lock.
func (g *guard) wake() { _ = g.Conn.SetReadDeadline(time.Unix(1, 0)) }

// Read implements net.Conn: it hands out whole frames that were checked.
func (g *guard) Read(p []byte) (int, error) {
	for len(g.approved) == 0 {
		if err := g.advance(); err != nil {
			return 0, g.fail(err)
		}
	}
	n := copy(p, g.approved)
	g.approved = g.approved[n:]
	return n, nil
}

// advance approves what is there, or reads more.
func (g *guard) advance() error {
	if ready := g.takeReady(); ready != nil {
		g.approved = ready
		return nil
	}
	if err := g.approve(); err != nil || len(g.approved) > 0 {
		return err
	}
	g.makeRoom()
	n, err := g.Conn.Read(g.buf[g.end:])
	g.end += n
	g.bytesIn.Add(int64(n))
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && g.rearm() {
		return nil
	}
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

// rearm restores go-amqp's deadline when it was only broken to wake the reader.
func (g *guard) rearm() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.deadline.IsZero() && !time.Now().Before(g.deadline) {
		return false
	}
	_ = g.Conn.SetReadDeadline(g.deadline)
	return true
}

func (g *guard) takeReady() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ready) == 0 {
		return nil
	}
	first := g.ready[0]
	g.ready = g.ready[1:]
	return first
}

// smallBuffer is what a connection that is idle keeps for reading.
const smallBuffer = 8 << 10

// makeRoom leaves room behind end for what must come next.
func (g *guard) makeRoom() {
	waiting := g.end - g.start
	need := smallBuffer
	if waiting >= frameHeader {
		need = int(binary.BigEndian.Uint32(g.buf[g.start:])) // approve has checked it
	}
	need = max(need, 2*waiting, smallBuffer)
	switch {
	case len(g.buf) < need || waiting == 0 && len(g.buf) > 16*smallBuffer:
		fresh := make([]byte, need)
		copy(fresh, g.buf[g.start:g.end])
		g.buf, g.start, g.end = fresh, 0, waiting
	case g.start > 0:
		copy(g.buf, g.buf[g.start:g.end])
		g.start, g.end = 0, waiting
	}
}

// approve checks the whole frames there are, up to one that is not to be passed
// on as it is.
func (g *guard) approve() error {
	if !g.greeted {
		return g.greet()
	}
	from := g.start
	for {
		size, err := g.frameSize()
		if err != nil || size == 0 {
			g.approved = g.buf[from:g.start]
			return err
		}
		whole := g.buf[g.start : g.start+size]
		instead, changed, err := g.inspect(whole)
		if err != nil {
			return err
		}
		if !changed {
			g.start += size
			continue
		}
		if g.start > from { // what came before goes first
			g.approved = g.buf[from:g.start]
			if len(instead) > 0 {
				g.queueFirst(instead)
			}
		} else {
			g.approved = instead
		}
		g.start += size
		if len(g.approved) > 0 {
			return nil
		}
		from = g.start
	}
}

// queueFirst has a frame handed out before anything that is read later.
func (g *guard) queueFirst(whole []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ready = append([][]byte{whole}, g.ready...)
}

// greet passes the protocol's header.
func (g *guard) greet() error {
	if g.end-g.start < len(header(0)) {
		return nil
	}
	if err := checkHeader(g.buf[g.start:g.start+8], 0); err != nil {
		return err
	}
	g.approved = g.buf[g.start : g.start+8]
	g.start += 8
	g.greeted = true
	return nil
}

// frameSize returns the length of the next frame, 0 when it is not there whole.
func (g *guard) frameSize() (int, error) {
	waiting := g.buf[g.start:g.end]
	if len(waiting) < frameHeader {
		return 0, nil
	}
	size := binary.BigEndian.Uint32(waiting)
	if size < frameHeader || size > g.limit {
		return 0, fmt.Errorf("%w: a frame of %d bytes, where 8 to %d are allowed", ErrGuard, size, g.limit)
	}
	if int(size) > len(waiting) {
		return 0, nil
	}
	return int(size), nil
}

// inspect checks a frame that came in. Where it is not to be passed on as it is,
// instead is what goes in its place, if anything.
func (g *guard) inspect(whole []byte) (instead []byte, changed bool, err error) {
	g.framesIn.Add(1)
	f, err := parseFrame(whole)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrGuard, err)
	}
	g.traceFrame(false, &f)
	g.mu.Lock()
	defer g.mu.Unlock()
	fault := ""
	switch f.code {
	case codeOpen:
		g.peer = readOpen(f.fields)
	case codeBegin:
		g.begun(&f)
	case codeAttach:
		g.attached(&f)
	case codeFlow:
		changed, fault = g.flowed(&f)
	case codeTransfer:
		instead, fault = g.transferred(&f)
		changed = true
	case codeDisposition:
		changed, fault = g.disposed(&f)
	case codeDetach:
		instead, changed = g.detached(&f)
	case codeEnd:
		g.ended(&f)
	case codeClose:
		list := f.fields
		g.closing = readError(&list)
	}
	if fault != "" {
		return nil, false, fmt.Errorf("%w: %s", ErrGuard, fault)
	}
	return instead, changed, nil
}

// begun maps the peer's channel to our session.
func (g *guard) begun(f *frame) {
	list := f.fields
	if ours, ok := list.ushort(); ok && g.local[ours] != nil {
		g.remote[f.channel] = g.local[ours]
	}
}

// attached maps the peer's handle to our link, and notes what the peer refuses:
// its terminus is missing then, and a detach follows.
func (g *guard) attached(f *frame) {
	session := g.remote[f.channel]
	if session == nil {
		return
	}
	list := f.fields
	name := list.text()
	handle, _ := list.uint()
	receives := list.bool() // the peer
	list.skip(2)
	source, sourceBody := list.next()
	target, _ := list.next()
	terminus := source
	if receives {
		terminus = target
	}
	if terminus == null {
		session.refused[handle] = true
	}
	if view := g.links[name]; view != nil {
		view.outcomes = readOutcomes(sourceBody)
		session.in[handle] = view
	}
}

// flowed takes the credit of a link.
func (g *guard) flowed(f *frame) (drop bool, fault string) {
	list := f.fields
	list.skip(4)
	handle, ofLink := list.uint()
	count, counted := list.uint()
	credit, credited := list.uint()
	if list.bad {
		return false, "a flow that cannot be read"
	}
	if !ofLink {
		return false, ""
	}
	if !credited {
		return false, "a flow for a link without its link-credit"
	}
	session := g.remote[f.channel]
	if session == nil {
		return false, ""
	}
	if session.refused[handle] {
		return true, ""
	}
	if view := session.in[handle]; view != nil && view.sends {
		view.grant(count, counted, credit)
	}
	return false, ""
}

// transferred checks the number of a delivery, and has go-amqp take the payload for
// data, so that it decodes none of it and loses none ([verbatim]).
func (g *guard) transferred(f *frame) (instead []byte, fault string) {
	list := f.fields
	list.next() // handle
	id, numbered := list.uint()
	if list.bad || numbered && id == math.MaxUint32 {
		return nil, "a transfer that cannot be read, or is numbered 4294967295"
	}
	instead, err := verbatim.Reframe(make([]byte, 0, len(f.bytes)+frameHeader), f.bytes)
	if err != nil {
		return nil, "a transfer that cannot be read"
	}
	return instead, ""
}

// disposition is what a peer says of a range of deliveries.
type disposition struct {
	fromReceiver bool
	first, last  uint32
	rest         fields // settled, and the state
}

func readDisposition(f *frame) disposition {
	list := f.fields
	d := disposition{fromReceiver: list.bool()}
	d.first, _ = list.uint()
	var ranged bool
	if d.last, ranged = list.uint(); !ranged {
		d.last = d.first
	}
	d.rest = list
	return d
}

// disposed checks the range, and holds what comes before its delivery is complete.
func (g *guard) disposed(f *frame) (hold bool, fault string) {
	d := readDisposition(f)
	if d.rest.bad {
		return false, "a disposition that cannot be read"
	}
	if d.last == math.MaxUint32 || d.first == math.MaxUint32 || d.last-d.first >= maxSpan && d.last >= d.first {
		return false, fmt.Sprintf("a disposition of the deliveries %d to %d", d.first, d.last)
	}
	session := g.remote[f.channel]
	if session == nil || !d.fromReceiver {
		return false, ""
	}
	for _, view := range session.out {
		if !view.incomplete || view.delivery < d.first || view.delivery > d.last {
			continue
		}
		if len(session.held) >= maxHeld {
			return false, "too many dispositions for one delivery"
		}
		session.held = append(session.held, append([]byte(nil), f.bytes...))
		return true, ""
	}
	session.settle(d)
	return false, ""
}

// settle answers the requests whose deliveries a disposition settles. We do not wait
// for go-amqp to do so: two goroutines less are on the way.
func (s *sessionView) settle(d disposition) {
	settled := d.rest.bool()
	outcome := readOutcome(&d.rest)
	if !settled && outcome.State < Accepted {
		return // it may still change
	}
	for _, view := range s.out {
		view.settle(d.first, d.last, func(r *request) { r.finish(answer{outcome: outcome}) })
	}
}

// detached ends a link. A detach that does not close is made one that does: the
// link is as good as gone, and go-amqp waits for an end that never comes.
func (g *guard) detached(f *frame) (instead []byte, changed bool) {
	list := f.fields
	handle, _ := list.uint()
	closed := list.bool()
	if session := g.remote[f.channel]; session != nil {
		if view := session.in[handle]; view != nil {
			g.lose(view, readError(&list))
			delete(g.links, view.name)
		}
		delete(session.in, handle)
		delete(session.refused, handle)
	}
	if closed || list.bad {
		return nil, false
	}
	return closingDetach(f), true
}

func (g *guard) ended(f *frame) {
	session := g.remote[f.channel]
	if session == nil {
		return
	}
	list := f.fields
	delete(g.remote, f.channel)
	g.loseAll(session, readError(&list))
}

// loseAll ends the links of a session.
func (g *guard) loseAll(session *sessionView, reason peerError) {
	for _, view := range session.out {
		g.lose(view, reason)
		if g.links[view.name] == view {
			delete(g.links, view.name)
		}
	}
}

// abandon ends a link on which the peer stands still.
func (g *guard) abandon(view *linkView) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endLink(view, ErrStalled, peerError{})
	if g.links[view.name] == view {
		delete(g.links, view.name)
	}
}

// lose ends a link.
func (g *guard) lose(view *linkView, reason peerError) { g.endLink(view, ErrLost, reason) }

// endLink ends a link. Deliveries in flight on it may have arrived.
func (g *guard) endLink(view *linkView, kind error, reason peerError) {
	for _, r := range view.end(reason) {
		r.finish(answer{err: &Error{
			Op: "settle", Kind: kind, MaybeSent: true, Err: lossCause(g.fault),
			Condition: reason.condition, Description: reason.description,
		}})
	}
}

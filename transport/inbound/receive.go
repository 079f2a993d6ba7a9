package inbound

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Receive has a message handled, and returns when it is. A nil error tells the
// sender that the message is in good hands. Any other is for the peer as its
// [RefusalOf] only; it has been counted, and a failure of ours logged.
//
// ctx bounds the wait for a free handler, and nothing else: what is being handled
// is handled to the end, though the peer may have gone.
//
// What handles the message, or reads it, and panics has failed. One that calls
// runtime.Goexit has, too: Receive then does not return, and its goroutine ends.
func (s *Session) Receive(ctx context.Context, f wireformat.Frame) (err error) {
	started := time.Now()
	m := &Message{Session: s.id, Origin: s.origin, ReceivedAt: started, Frame: f}
	defer func() {
		s.release(len(f.Body))
		s.received.Add(1)
		s.host.received(len(f.Body), time.Since(started), err)
		s.manager.tellReceived(s, m, time.Since(started), err)
	}()
	err = errExited // which nothing changes where the goroutine ends
	err = s.receive(ctx, m)
	return err
}

var errExited = errors.New("the handler, or what it needs, ended its goroutine (runtime.Goexit, which testing.T.FailNow calls)")

// Refuse counts a message that a transport could not even read, and has it told.
func (s *Session) Refuse(err error) {
	s.host.refuse(RefusalOf(err))
	s.manager.tellReceived(s, &Message{}, 0, err)
}

// receive has a message read and handled. What is not ours runs in it: its panic
// becomes an error, since one message must not take the process down.
func (s *Session) receive(ctx context.Context, m *Message) (err error) {
	defer s.manager.survive("the handler, or what it needs,", &err)
	if err = s.readAndHandle(ctx, m); err != nil {
		_, _ = RefusalOf(err), err.Error() // it may have methods of its own, which panic
	}
	return err
}

// survive, deferred, makes an error of a panic, whose value may hold anything and is
// not told.
func (m *Manager) survive(what string, err *error) {
	if value := recover(); value != nil {
		*err = fmt.Errorf("%s %w with a %T", what, ErrPanicked, value)
		m.log.Error("inbound: something panicked", zap.NamedError("panic", *err), zap.ByteString("stack", debug.Stack()))
	}
}

func (s *Session) readAndHandle(ctx context.Context, m *Message) error {
	if err := s.manager.handlers.enter(ctx, s.options.HandlerWait); err != nil {
		return err
	}
	defer s.manager.handlers.leave()
	handling, cancel := context.WithTimeout(s.manager.base, s.manager.options.HandlerTimeout)
	defer cancel()
	if err := s.read(handling, m); err != nil {
		return err
	}
	at := address{m.Profile.ID(), m.Peer}
	learnt, err := s.manager.sessions.learn(s, at, m.Receipt.ReturnRoute, m.Receipt.ThreadID)
	if err != nil {
		return err
	}
	if learnt.more && s.options.Replies < 0 {
		s.manager.arrived(at)
	}
	reply, err := s.manager.handler(handling, m)
	if err != nil {
		return err
	}
	if reply != nil {
		if err := s.reply(handling, m, reply, learnt.silent); err != nil {
			return err
		}
	}
	if learnt.more && s.options.Replies > 0 { // what the handler answers goes first
		s.manager.arrived(at)
	}
	return nil
}

// read finds out whom the message is for and what it says.
func (s *Session) read(ctx context.Context, m *Message) error {
	o := &s.manager.options
	tenant, err := Tenant{Profile: s.origin.Profile}, error(nil)
	if tenant.Profile == nil {
		tenant, err = o.Tenants.Resolve(ctx, s.origin, &m.Frame)
	}
	if err != nil {
		return err
	}
	if tenant.Profile == nil {
		return ErrUnknownRecipient
	}
	m.Profile = tenant.Profile
	format, err := formatFor(o.Formats, s.origin.format, tenant.Profile, &m.Frame)
	if err != nil {
		return err
	}
	parsed, receipt, err := format.Parse(ctx, tenant.Profile, m.Frame)
	if err != nil {
		return err
	}
	m.Payload, m.ContentType, m.Text, m.Metadata = parsed.Payload, parsed.ContentType, parsed.Text, parsed.Metadata
	m.Receipt, m.ID = receipt, parsed.ID
	m.readID()
	s.identify(m, tenant.Peer)
	return nil
}

// readID completes what the wire format says of the sender's id.
func (m *Message) readID() {
	id := &m.Receipt.MessageID
	switch {
	case *id != "":
	case !m.ID.IsZero():
		*id = m.ID.String()
	default:
		*id = m.Frame.Header[HeaderMessageID]
	}
	if m.ID.IsZero() {
		m.ID, _ = transport.ParseID(*id) // zero for somebody else's kind of id
	}
}

// identify says who sent the message, as far as that is proven. The metadata is
// heeded only where the connection says who sent it: what is not part of an
// envelope must not direct what its sender gets.
func (s *Session) identify(m *Message, peer string) {
	proven := m.Receipt.Signed || m.Receipt.Authenticated || s.manager.options.TrustUnsignedSenders
	if m.Receipt.Sender != "" && proven {
		m.Peer = transport.PeerKey(m.Receipt.Sender)
		return
	}
	m.Peer = transport.PeerKey(peer)
	if certificate := s.origin.Certificate; m.Peer == "" && certificate != nil {
		m.Peer = PrefixCertificate + certificate.Subject.String()
	}
	if m.Receipt.ReturnRoute == "" {
		m.Receipt.ReturnRoute = knownRoute(m.header(HeaderReturnRoute))
	}
	if m.Receipt.ThreadID == "" {
		m.Receipt.ThreadID = m.header(HeaderThreadID)
	}
}

// header returns a value that came with the message, or with its connection.
func (m *Message) header(name string) string {
	if value, ok := m.Metadata[name]; ok {
		return value
	}
	return m.Origin.Header[name]
}

func knownRoute(text string) string {
	switch text {
	case wireformat.ReturnRouteNone, wireformat.ReturnRouteAll, wireformat.ReturnRouteThread:
		return text
	}
	return ""
}

// formatFor returns the format to parse a frame with: the connection's own, else
// what the frame says, else the profile's, else raw.
func formatFor(formats *wireformat.Registry, own string, p *profile.Profile, f *wireformat.Frame) (wireformat.Format, error) {
	if own != "" {
		return formats.ByName(own)
	}
	format, err := formats.ForFrame(*f)
	if err == nil && (f.ContentType != "" || format.Name() != rawFormat) {
		return format, nil
	}
	if p != nil && p.WireFormat() != "" {
		return formats.ByName(p.WireFormat())
	}
	if err != nil {
		return formats.ByName(rawFormat)
	}
	return format, nil
}

const rawFormat = "raw"

// reply queues the handler's reply, or has it sent otherwise. It fails only where
// the reply is lost by that.
func (s *Session) reply(ctx context.Context, m *Message, r *Reply, silent bool) error {
	if r.ID.IsZero() {
		r.ID = transport.NewID(time.Now())
	}
	if silent {
		return s.manager.unsent(ctx, s, m, r, nil)
	}
	frame, err := s.manager.encode(ctx, m, r)
	if err != nil {
		return fmt.Errorf("encode the reply: %w", err)
	}
	o := &Outgoing{ID: r.ID, Frame: frame}
	o.done = func(_ transport.Evidence, err error) {
		if err == nil {
			s.countSent(&frame)
			return
		}
		later, cancel := context.WithTimeout(s.manager.settling, s.manager.options.HandlerTimeout)
		defer cancel()
		_ = s.manager.unsent(later, s, m, r, err) // it has been logged, and nobody waits
	}
	if !s.put(o, nil) {
		return s.manager.unsent(ctx, s, m, r, ErrUnwritten)
	}
	return nil
}

// encode makes the frame of a reply.
func (m *Manager) encode(ctx context.Context, to *Message, r *Reply) (wireformat.Frame, error) {
	name := r.WireFormat
	if name == "" {
		name = to.Receipt.Format
	}
	format, err := m.options.Formats.ByName(name)
	if err != nil {
		return wireformat.Frame{}, err
	}
	target := r.Target
	if len(target.Recipients) == 0 && to.Receipt.Sender != "" {
		target.Recipients = []string{to.Receipt.Sender}
		if target.Sender == "" {
			target.Sender = to.Receipt.Recipient
		}
	}
	frame, err := format.Encode(ctx, to.Profile, wireformat.Message{
		ID: r.ID, ContentType: r.ContentType, Text: r.Text, Payload: r.Payload, Metadata: r.Metadata,
	}, target)
	if err != nil {
		return wireformat.Frame{}, err
	}
	stamper, stamps := wireformat.As[wireformat.Stamper](format)
	if len(r.Metadata) > 0 || stamps {
		header := make(map[string]string, len(r.Metadata)+len(frame.Header))
		maps.Copy(header, r.Metadata)
		maps.Copy(header, frame.Header)
		frame.Header = header
	}
	if !stamps {
		return frame, nil
	}
	err = stamper.Stamp(ctx, to.Profile, &frame, wireformat.Attempt{ID: r.ID, Number: 1, At: time.Now()})
	return frame, err
}

// unsent gives a reply to whoever takes those that were not written. Without
// somebody it is lost: that is no failure of the message it answers.
func (m *Manager) unsent(ctx context.Context, s *Session, to *Message, r *Reply, cause error) error {
	e := MessageEvent{
		ID: r.ID, Session: s.id, Scheme: s.origin.Scheme, Remote: s.origin.Remote,
		Profile: to.Profile.ID(), Peer: to.Peer, Thread: to.Receipt.ThreadID, Bytes: len(r.Payload),
	}
	var err error
	switch {
	case m.options.Unsent != nil:
		if err = m.giveUnsent(ctx, to, r); err != nil {
			err = fmt.Errorf("send the reply otherwise: %w", err)
			e.Error = err.Error()
		}
	case cause != nil:
		e.Error = cause.Error()
	default:
		e.Error = "the peer takes no messages on the session"
	}
	if e.Error != "" {
		m.log.Warn("inbound reply lost", zap.String("session", s.id), zap.String("remote", s.origin.Remote), zap.String("error", e.Error))
	}
	m.publish(TopicUnsent, func() any { return e })
	return err
}

func (m *Manager) giveUnsent(ctx context.Context, to *Message, r *Reply) (err error) {
	defer m.survive("Unsent", &err)
	return m.options.Unsent(ctx, to, r)
}

// arrived tells that a session takes more messages for a key. That the one who is
// told panics is no failure of a message.
func (m *Manager) arrived(at address) {
	var logged error
	defer m.survive("OnArrival", &logged)
	if m.options.OnArrival != nil {
		m.options.OnArrival(at.profile, []string{at.key})
	}
}

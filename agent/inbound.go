package agent

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/amqpin"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
	"github.com/outrider-go/outrider/wireformat"
)

// Metadata of what is forwarded: where it came from, so that it can be answered.
const (
	MetadataSession   = "Outrider-Session"    // id of the session it came by
	MetadataPeer      = "Outrider-Peer"       // key of the sender, as far as it is proven
	MetadataThread    = "Outrider-Thread"     // id of the thread it belongs to
	MetadataMessageID = "Outrider-Message-Id" // the sender's own, as it has written it
	// Of a message that was encrypted for a key of ours: its wire format, and that
	// key. What answers it is encrypted in the same way.
	MetadataFormat    = "Outrider-Wire-Format"
	MetadataRecipient = "Outrider-Recipient"
)

// openInbound makes the manager of what comes in, and its receivers. own is the
// caller's handler, where there is one.
func (a *Agent) openInbound(own inbound.Handler) (err error) {
	if a.handler, err = a.chooseHandler(own); err != nil {
		return err
	}
	tenants, err := a.config.tenants(a.profiles, a.formats)
	if err != nil {
		return err
	}
	options := a.config.Inbound.options()
	options.Tenants, options.Formats, options.Events, options.Logger, options.TopicPrefix = tenants, a.formats, a.events, a.log, a.config.TopicPrefix
	options.OnArrival = func(profile string, keys []string) { a.manager.Arrived(profile, keys...) }
	options.Unsent = a.sendUnsent
	if a.inbound, err = inbound.New(a.handler, options); err != nil {
		return err
	}
	if a.config.Inbound.TLS.OnFault == nil {
		a.config.Inbound.TLS.OnFault = a.logCertificate
	}
	receivers, err := a.config.Inbound.receivers()
	if err != nil {
		return err
	}
	queues, err := a.queues()
	if err != nil {
		return err
	}
	for _, receiver := range append(append(receivers, queues...), &a.answers) {
		if err := a.inbound.Register(receiver); err != nil {
			return err
		}
	}
	return nil
}

// logCertificate tells an operator who has replaced a certificate that it is not in
// use.
func (a *Agent) logCertificate(err error) {
	a.log.Error("inbound.tls has changed and cannot be read: the certificate before stays in use", zap.Error(err))
}

// queues makes the receivers of the nodes of brokers.
func (a *Agent) queues() (all []inbound.Transport, err error) {
	own, err := a.profiles.Lookup(context.Background(), profile.DefaultID)
	if err != nil {
		return nil, err
	}
	for _, endpoint := range a.config.Inbound.From {
		receiver, err := amqpin.New(own, endpoint, amqpin.Options{Logger: a.log})
		if err == nil {
			err = egress.CheckEndpoint(own, endpoint)
		}
		if err != nil {
			return nil, &KeyError{"inbound.from", err}
		}
		all = append(all, receiver)
	}
	return all, nil
}

// chooseHandler returns what becomes of the messages that come in.
func (a *Agent) chooseHandler(own inbound.Handler) (inbound.Handler, error) {
	switch {
	case own != nil:
		return own, nil
	case a.config.Inbound.HandlerInForce() == HandlerForward:
		return a.forward, a.checkForward()
	case a.config.Inbound.HandlerInForce() == HandlerPrint:
		return nil, &KeyError{"inbound.handler", errors.New("print is for a program with an output: give Options.Handler")}
	case a.config.Inbound.Handler == "" && a.config.Inbound.receives():
		return nil, &KeyError{"inbound.handler", errors.New("is missing: what senders are told is taken would be lost; " +
			"give inbound.forward (--forward URI), or say print or, for peers that only fetch, drop (--in-handler drop)")}
	default:
		return drop, nil
	}
}

// warnOfSilence tells an operator who has said what becomes of messages, and not
// where they come from.
func (a *Agent) warnOfSilence() {
	handler := a.config.Inbound.HandlerInForce()
	if handler == HandlerDrop || len(a.inbound.Addresses()) > 0 {
		return
	}
	a.log.Warn("nothing is received at any URL: the handler gets no more than what peers answer on connections that were opened to deliver to them. "+
		"Give inbound.listen (--in URL) to receive", zap.String("handler", handler))
}

// drop takes every message and does nothing with it.
func drop(context.Context, *inbound.Message) (*inbound.Reply, error) { return nil, nil }

// checkForward finds out now whether the profiles may reach where their messages
// are to be forwarded.
func (a *Agent) checkForward() error {
	var faults []error
	for _, tenant := range a.profiles.All() {
		if err := egress.CheckEndpoint(tenant, a.config.Inbound.Forward); err != nil {
			faults = append(faults, &KeyError{"inbound.forward", fmt.Errorf("profile %s may not reach it: %w", tenant.ID(), err)})
		}
	}
	return errors.Join(faults...)
}

// forward queues a message for the endpoint that all are forwarded to. It is taken
// once it is kept. A copy that its sender has repeated is queued once.
func (a *Agent) forward(ctx context.Context, m *inbound.Message) (*inbound.Reply, error) {
	message := outbound.Message{
		Endpoint: a.config.Inbound.Forward, Payload: m.Payload, Text: m.Text, ContentType: m.ContentType,
		Metadata: a.forwarded(m), Profile: m.Profile, WireFormat: "raw", Direct: true, IdempotencyKey: keyOfCopies(m),
	}
	if m.Receipt.DirectResponseRequested() { // the answer may come on the session: it is held open for that
		a.inbound.Reaches(m.Profile.ID(), transport.Peer{Session: m.Session})
	}
	_, err := a.manager.Send(ctx, message)
	return nil, refusal(err)
}

// keyOfCopies is what a message has in common with its copies alone; empty where its
// sender gave it no id. A UUID is the sender's in all the world. Another kind of id
// may be somebody else's, too, who has proven no more: it counts for the path and the
// wire format it came with. The key is a digest since ids and peers have no limit,
// and may hold whatever would stand between them.
func keyOfCopies(m *inbound.Message) string {
	parts := []string{m.Peer, m.ID.String()}
	switch {
	case m.Receipt.MessageID == "":
		return ""
	case m.ID.IsZero():
		parts = []string{m.Peer, m.Receipt.MessageID, m.Origin.Path, m.Receipt.Format}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return "inbound:" + hex.EncodeToString(sum[:])
}

// forwarded is the metadata of a message, with where it came from in place of what
// was about its way here. What the header for our own id says is of the way here.
func (a *Agent) forwarded(m *inbound.Message) transport.Metadata {
	format, recipient := encryptedBy(m)
	ours := transport.Metadata{
		MetadataSession: m.Session, MetadataPeer: m.Peer, MetadataThread: m.Receipt.ThreadID,
		MetadataFormat: format, MetadataRecipient: recipient, MetadataMessageID: m.Receipt.MessageID,
	}
	maps.DeleteFunc(ours, func(_, value string) bool { return value == "" })
	for name, value := range m.Metadata {
		if !a.isOurs(name) {
			ours[name] = value
		}
	}
	return ours
}

// isOurs reports whether the name of a header, which counts in any case, is one that a
// sender must not have forwarded.
func (a *Agent) isOurs(name string) bool {
	name = http.CanonicalHeaderKey(name)
	switch name {
	case inbound.HeaderMessageID, inbound.HeaderReturnRoute, inbound.HeaderThreadID, http.CanonicalHeaderKey(a.config.HTTP.MessageIDHeader):
		return true
	}
	return strings.HasPrefix(name, "Outrider-")
}

// encryptedBy returns the wire format of a message that was encrypted for a key of
// ours, and that key. An answer to it must not go out in the clear.
func encryptedBy(m *inbound.Message) (format, recipient string) {
	if m.Receipt.Recipient == "" {
		return "", ""
	}
	return m.Receipt.Format, m.Receipt.Recipient
}

// refusal turns an error of the queue into what a sender may know.
func refusal(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, outbound.ErrQueueFull), errors.Is(err, outbound.ErrQuotaExceeded), errors.Is(err, queue.ErrStoreFull),
		errors.Is(err, outbound.ErrStopped), errors.Is(err, outbound.ErrNotStarted), errors.Is(err, queue.ErrStoreFailed),
		errors.Is(err, queue.ErrStoreDamaged):
		return fmt.Errorf("%w: %w", inbound.ErrBusy, err)
	}
	switch field, ok := errors.AsType[*outbound.FieldError](err); {
	case errors.Is(err, outbound.ErrTooLarge), ok && field.Field == "payload":
		return fmt.Errorf("%w: %w", inbound.ErrTooLarge, err)
	case ok && (field.Field == "metadata" || field.Field == "content_type" || field.Field == "idempotency_key"):
		return fmt.Errorf("%w: %w", inbound.ErrMalformed, err)
	}
	return err
}

// sendUnsent queues a reply that was not written to its session, for the sender's
// other sessions, or until it comes back.
func (a *Agent) sendUnsent(ctx context.Context, m *inbound.Message, r *inbound.Reply) error {
	target := r.Target
	if len(target.Recipients) == 0 && m.Peer != "" {
		target.Recipients = []string{m.Peer}
		target.Sender = cmp.Or(target.Sender, m.Receipt.Recipient)
	}
	_, err := a.manager.Send(ctx, outbound.Message{
		Payload: r.Payload, Text: r.Text, ContentType: r.ContentType, Metadata: r.Metadata, Profile: m.Profile,
		WireFormat: cmp.Or(r.WireFormat, m.Receipt.Format), Target: target, Session: m.Session, ThreadID: m.Receipt.ThreadID,
	})
	return err
}

// onReply sends what answers a message that was forwarded back to where that came
// from. The answer to another message is one for the handler, where the message has
// asked for it. The error says that there is no room for it now: the message is sent
// again, for the answer. One that would never be taken is lost.
func (a *Agent) onReply(ctx context.Context, m *outbound.Message, r httpout.Reply) error {
	session := m.Metadata[MetadataSession]
	var err error
	switch {
	case session != "" && m.Endpoint.Whole().Equal(a.config.Inbound.Forward.Whole()):
		err = a.answer(ctx, m, r, session)
	case a.asksForAnswer(ctx, m):
		err = a.answers.take(ctx, m.Endpoint, m.Profile, wireformat.Frame{ContentType: r.ContentType, Text: utf8.Valid(r.Body), Body: r.Body})
	}
	if err != nil && neverTaken(err) {
		a.log.Warn("the answer to a message is lost", zap.Stringer("message_id", m.ID), zap.Stringer("endpoint", m.Endpoint), zap.Error(err))
		return nil
	}
	return err
}

// neverTaken reports an answer that no other attempt would have taken: it is about
// what the answer says, or whom it is for, and not about room.
func neverTaken(err error) bool {
	_, isAboutField := errors.AsType[*outbound.FieldError](err)
	return isAboutField || errors.Is(err, wireformat.ErrEncode) || errors.Is(err, inbound.ErrPanicked) || inbound.RefusalOf(refusal(err)).Lasting()
}

// answer sends what answers a message that was forwarded.
func (a *Agent) answer(ctx context.Context, m *outbound.Message, r httpout.Reply, session string) error {
	message := outbound.Message{
		Payload: r.Body, ContentType: r.ContentType, Text: utf8.Valid(r.Body), Profile: m.Profile,
		WireFormat: m.Metadata[MetadataFormat], Target: wireformat.Target{Sender: m.Metadata[MetadataRecipient]},
		Session: session, ThreadID: m.Metadata[MetadataThread],
		IdempotencyKey: "reply:" + m.ID.String(), // the attempt may be repeated
	}
	if peer := m.Metadata[MetadataPeer]; peer != "" {
		message.Target.Recipients = []string{peer}
	}
	_, err := a.manager.SendInPlace(ctx, message)
	return err
}

// asksForAnswer reports a message with a return route: beside it or, as far as its
// wire format shows that, in it.
func (a *Agent) asksForAnswer(ctx context.Context, m *outbound.Message) bool {
	for name, value := range m.Metadata {
		if strings.EqualFold(name, inbound.HeaderReturnRoute) {
			return (&wireformat.Receipt{ReturnRoute: value}).DirectResponseRequested()
		}
	}
	if m.WireFormat != (*wireformat.JSON)(nil).Name() {
		return false
	}
	_, receipt, err := new(wireformat.JSON).Parse(ctx, m.Profile, wireformat.Frame{Text: true, Body: m.Payload})
	return err == nil && receipt.DirectResponseRequested()
}

// Inbound returns the manager of what comes in, to register receivers with and to
// look at the sessions.
func (a *Agent) Inbound() *inbound.Manager { return a.inbound }

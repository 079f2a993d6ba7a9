package outbound

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

const (
	maxIdempotencyKey = 256   // bytes
	maxContentType    = 256   // bytes
	defaultFormat     = "raw" // where nobody chose one
)

// Send takes a message for delivery. When it returns nil the message is in the
// store, encoded, and will be delivered, or end as dead, expired or cancelled.
//
// Errors: [*FieldError] names what is wrong with the message; ErrTooLarge says that
// it never fits; ErrQueueFull, [*QuotaError], queue.ErrStoreFull, ErrNotStarted and
// ErrStopped say that it could be sent another time, be it the repeat of what was
// accepted. In each case nothing more was kept.
func (m *Manager) Send(ctx context.Context, message Message) (Accepted, error) {
	return m.send(ctx, message, false)
}

// SendInPlace is Send for what answers a message whose attempt is under way, and is
// to be called within that: it takes the place that the other is about to leave, and
// so finds room where the queue, or the profile's limit of messages, is full. If it
// did not, a queue full of messages that are answered would never empty.
func (m *Manager) SendInPlace(ctx context.Context, message Message) (Accepted, error) {
	return m.send(ctx, message, true)
}

func (m *Manager) send(ctx context.Context, message Message, inPlace bool) (Accepted, error) {
	single := m.singles.Get().(*single) //nolint:forcetypeassert // the pool holds nothing else
	defer single.free(&m.singles)
	single.message = message
	if err := m.prepare(ctx, &single.message, &single.plan, nil, &single.batch[0]); err != nil {
		return Accepted{}, err
	}
	single.tenant[0] = single.message.Profile
	accepted, err := m.enqueue(ctx, single.batch[:], single.tenant[:], inPlace)
	if err != nil {
		return Accepted{}, err
	}
	return acceptedOf(accepted[0], single.batch[0].Lane), nil
}

// single is the scratch paper of a Send.
type single struct {
	message Message
	plan    plan
	batch   [1]queue.Message
	tenant  [1]*profile.Profile
}

func (s *single) free(pool *sync.Pool) {
	clear(s.plan.targets)
	*s = single{plan: plan{targets: s.plan.targets[:0]}}
	pool.Put(s)
}

// SendBatch takes all the messages in one commit, or none. Its error, when it is
// about one of them, is a [*BatchError]. Messages that differ by their endpoints
// only are encoded once, where their format is a [wireformat.Sharer].
func (m *Manager) SendBatch(ctx context.Context, messages []Message) ([]Accepted, error) {
	batch := make([]queue.Message, len(messages))
	tenants := make([]*profile.Profile, len(messages))
	var p plan
	var made encodings
	for i := range messages {
		message := messages[i]
		if err := m.prepare(ctx, &message, &p, &made, &batch[i]); err != nil {
			return nil, &BatchError{Index: i, Err: err}
		}
		tenants[i] = message.Profile
	}
	enqueued, err := m.enqueue(ctx, batch, tenants, false)
	if err != nil {
		return nil, err
	}
	all := make([]Accepted, len(enqueued))
	for i, e := range enqueued {
		all[i] = acceptedOf(e, batch[i].Lane)
	}
	return all, nil
}

// BatchError says which message of a batch is at fault.
type BatchError struct {
	Index int // from 0
	Err   error
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("message %d of the batch: %v", e.Index+1, e.Err)
}

// Unwrap returns the cause.
func (e *BatchError) Unwrap() error { return e.Err }

func acceptedOf(e queue.Enqueued, lane queue.Lane) Accepted {
	accepted := Accepted{ID: e.ID, Status: statusIn(lane), Duplicate: e.Duplicate}
	if e.Status != "" && e.Status != queue.StatusQueued {
		accepted.Status = Status(e.Status)
	}
	return accepted
}

// prepare checks a message, plans where it goes, encodes it, and fills the record
// to be kept. made are the encodings of its batch; nil for a message by itself.
func (m *Manager) prepare(ctx context.Context, message *Message, p *plan, made *encodings, record *queue.Message) error {
	if err := m.accepting(); err != nil {
		return err
	}
	if message.Profile == nil {
		defaultProfile, err := m.options.Profiles.Lookup(ctx, profile.DefaultID)
		if err != nil {
			return &FieldError{"profile", err}
		}
		message.Profile = defaultProfile
	}
	if err := m.check(message); err != nil {
		return err
	}
	message.MinEvidence = minEvidence(message)
	if err := p.make(m, message); err != nil {
		return err
	}
	message.ID = m.store.NewID()
	frame, format, err := m.encode(ctx, p.route, message, made)
	if err != nil {
		return err
	}
	if err := m.checkSize(message.Profile, len(frame.Body)); err != nil {
		return err
	}
	message.ContentType, message.Text, message.Payload = frame.ContentType, frame.Text, frame.Body
	message.Metadata = merged(message.Metadata, frame.Header)
	if err := m.checkTargets(ctx, message, p); err != nil {
		return err
	}
	place := targetOf(message, message.Endpoint)
	*record = queue.Message{
		ID:             message.ID,
		Lane:           place.Lane,
		Endpoint:       place.Endpoint,
		URI:            place.URI,
		Format:         format,
		ContentType:    message.ContentType,
		Text:           message.Text,
		Payload:        message.Payload,
		Metadata:       message.Metadata,
		IdempotencyKey: message.IdempotencyKey,
		NotBefore:      message.NotBefore,
		ExpiresAt:      message.ExpiresAt,
		Priority:       message.Priority,
		OrderingKey:    message.OrderingKey,
		SkipBlocked:    message.OnBlocked == BlockedSkip,
		MinEvidence:    message.MinEvidence,
		Retry:          retryText(message),
		Targets:        p.asKept(message),
	}
	m.passOver(record)
	return nil
}

func retryText(message *Message) string {
	if message.Retry == nil {
		return ""
	}
	return message.Retry.String()
}

// route returns the transport for an endpoint.
func (m *Manager) route(endpoint transport.Endpoint) (*registered, error) {
	r, err := m.transports.Lookup(endpoint.Scheme())
	if err != nil {
		return nil, unknownSchemeError{err}
	}
	return r, nil
}

// checkAt is check for a message that goes to the endpoint.
func (r *registered) checkAt(ctx context.Context, message *Message, endpoint transport.Endpoint) error {
	if endpoint != message.Endpoint {
		other := *message
		other.Endpoint, message = endpoint, &other
	}
	return r.check(ctx, message)
}

// check asks the transport whether it could ever deliver an encoded message.
func (r *registered) check(ctx context.Context, message *Message) error {
	if err := r.checkEvidence(message.MinEvidence); err != nil {
		return err
	}
	if r.checker == nil {
		return nil
	}
	return r.checker.CheckMessage(ctx, message)
}

// merged returns the metadata with what a wire format adds to it.
func merged(metadata transport.Metadata, header map[string]string) transport.Metadata {
	if len(header) == 0 {
		return metadata
	}
	all := make(transport.Metadata, len(metadata)+len(header))
	maps.Copy(all, metadata)
	maps.Copy(all, header)
	return all
}

// check looks at the fields that need no transport.
func (m *Manager) check(message *Message) error {
	if err := message.Metadata.Validate(); err != nil {
		return &FieldError{"metadata", err}
	}
	if len(message.IdempotencyKey) > maxIdempotencyKey {
		return &FieldError{"idempotency_key", fmt.Errorf("has %d bytes: at most %d are allowed", len(message.IdempotencyKey), maxIdempotencyKey)}
	}
	if len(message.ContentType) > maxContentType {
		return &FieldError{"content_type", fmt.Errorf("has %d bytes: at most %d are allowed", len(message.ContentType), maxContentType)}
	}
	if message.Retry != nil {
		if err := message.Retry.Validate(); err != nil {
			return &FieldError{"retry", err}
		}
	}
	if !message.ExpiresAt.IsZero() {
		if !message.ExpiresAt.After(time.Now()) {
			return &FieldError{"expires_in", errors.New("the message has expired already")}
		}
		if !message.NotBefore.Before(message.ExpiresAt) {
			return &FieldError{"not_before", errors.New("is not before the message expires")}
		}
	}
	if err := checkOrder(message); err != nil {
		return err
	}
	if message.MinEvidence > transport.Accepted {
		return &FieldError{"min_evidence", fmt.Errorf("%s is unknown: want written, acknowledged or accepted", message.MinEvidence)}
	}
	return m.checkSize(message.Profile, len(message.Payload))
}

func (m *Manager) checkSize(p *profile.Profile, size int) error {
	limit := m.options.MaxMessageBytes
	if own := p.Limits().MaxMessageBytes; own > 0 {
		limit = min(limit, own)
	}
	if int64(size) > limit {
		return &FieldError{"payload", fmt.Errorf("%w: it has %d bytes, and at most %d are allowed", ErrPayloadTooLarge, size, limit)}
	}
	return nil
}

// encode runs the wire format that the message, the transport or the profile
// chose, in this order, unless the batch has the encoding already.
func (m *Manager) encode(ctx context.Context, route *registered, message *Message, made *encodings) (wireformat.Frame, string, error) {
	name := message.WireFormat
	for _, choice := range [...]string{route.format, message.Profile.WireFormat(), defaultFormat} {
		if name != "" {
			break
		}
		name = choice
	}
	format, err := m.options.Formats.ByName(name)
	if err != nil {
		return wireformat.Frame{}, "", &FieldError{"wire_format", err}
	}
	e := encoding{format: name, tenant: message.Profile, target: message.Target, message: wireformat.Message{
		ID: message.ID, ContentType: message.ContentType, Text: message.Text,
		Payload: message.Payload, Metadata: message.Metadata,
	}}
	shared := made != nil && shares(format, e.message)
	if shared {
		if frame, ok := made.find(&e); ok {
			return frame, name, nil
		}
	}
	if e.frame, err = format.Encode(ctx, e.tenant, e.message, e.target); err != nil {
		return wireformat.Frame{}, "", &FieldError{"payload", err}
	}
	if shared {
		made.keep(e)
	}
	return e.frame, name, nil
}

// enqueue keeps a batch, each message of which has its tenant, tells of it, and
// has it delivered.
func (m *Manager) enqueue(ctx context.Context, batch []queue.Message, tenants []*profile.Profile, inPlace bool) ([]queue.Enqueued, error) {
	if err := m.load.add(batch, tenants, inPlace); err != nil {
		return nil, err
	}
	m.prepareAnnouncements(batch)
	enqueued, err := m.store.Enqueue(ctx, batch)
	if err != nil {
		for i := range batch {
			m.load.remove(batch[i].Lane, batch[i].Size())
			m.announce.forget(batch[i].ID)
		}
		m.load.giveBack(tenants)
		return nil, fmt.Errorf("enqueue: %w", err)
	}
	for i := range batch {
		if enqueued[i].Duplicate {
			m.load.remove(batch[i].Lane, batch[i].Size())
			m.announce.forget(batch[i].ID)
			continue
		}
		m.announceQueued(batch[i].ID)
		m.expiresAt(batch[i].ExpiresAt)
		m.sched.notify(batch[i].Lane, batch[i].NotBefore)
	}
	return enqueued, nil
}

// prepareAnnouncements keeps the queued events, where somebody listens to them.
func (m *Manager) prepareAnnouncements(batch []queue.Message) {
	for i := range batch {
		status := statusIn(batch[i].Lane)
		if !m.events.Active(m.options.TopicPrefix + status.Topic()) {
			continue
		}
		m.announce.add(MessageEvent{
			ID: batch[i].ID, Profile: batch[i].Lane.Profile, Endpoint: batch[i].Endpoint, Status: status,
			NextAt: batch[i].NotBefore,
		})
	}
}

// announceQueued publishes the queued event of a message, unless that was done.
func (m *Manager) announceQueued(id transport.ID) {
	if m.announce.count.Load() > 0 {
		m.announce.publish(id, m.tellQueued)
	}
}

func (m *Manager) tellQueued(e *MessageEvent) { m.tell(e.Status.Topic(), e) }

package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat"
)

// MaxBatch is the most messages that one batch holds.
const MaxBatch = 10_000

const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
)

// send takes one message, or a batch.
func (s *api) send(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	mediaType, err := bodyType(r)
	if err != nil {
		return err
	}
	body, err := s.body(w, r)
	if err != nil {
		return err
	}
	if mediaType == typeNDJSON {
		return s.sendBatch(w, r, body)
	}
	message, err := s.message(r.Context(), body, time.Now())
	if err != nil {
		return err
	}
	accepted, err := s.manager.Send(r.Context(), message)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/messages/"+accepted.ID.String())
	return reply(w, http.StatusAccepted, s.responseOf(r.Context(), accepted))
}

func (s *api) responseOf(ctx context.Context, a outbound.Accepted) SendResponse {
	response := SendResponse{ID: a.ID, Status: string(a.Status), Duplicate: a.Duplicate}
	if a.Duplicate { // one that is not kept any more, or cannot be read, shows none
		if record, err := s.manager.Get(ctx, a.ID, false); err == nil {
			response.Result = record.Result
		}
	}
	return response
}

// sendBatch takes a message from each line, all of them or none.
func (s *api) sendBatch(w http.ResponseWriter, r *http.Request, body []byte) error {
	var messages []outbound.Message
	var lines []int // of each message
	now, number := time.Now(), 0
	for line := range bytes.Lines(body) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if len(messages) == MaxBatch {
			return &lineError{number, problem(kindTooLarge, "a batch has at most %d messages: send the rest in another", MaxBatch)}
		}
		message, err := s.message(r.Context(), line, now)
		if err != nil {
			return &lineError{number, err}
		}
		messages, lines = append(messages, message), append(lines, number)
	}
	if len(messages) == 0 {
		return problem(kindInvalid, "the batch is empty: send one JSON object on each line")
	}
	accepted, err := s.manager.SendBatch(r.Context(), messages)
	if one, ok := errors.AsType[*outbound.BatchError](err); ok {
		return &lineError{lines[one.Index], one.Err}
	}
	if err != nil {
		return err
	}
	all := make([]SendResponse, len(accepted))
	for i := range accepted {
		all[i] = s.responseOf(r.Context(), accepted[i])
	}
	return reply(w, http.StatusAccepted, BatchResponse{all})
}

// bodyType returns the media type of a body that messages come in.
func bodyType(r *http.Request) (string, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return "", problem(kindMediaType, "the body must not be compressed")
	}
	text := r.Header.Get("Content-Type")
	if text == "" {
		return typeJSON, nil
	}
	mediaType, _, err := mime.ParseMediaType(text)
	if err != nil || mediaType != typeJSON && mediaType != typeNDJSON {
		return "", problem(kindMediaType, "want the content type %s, or %s for a batch", typeJSON, typeNDJSON)
	}
	return mediaType, nil
}

// body reads the request's body, up to the limit and no longer than bodyTimeout.
func (s *api) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > s.maxBody {
		return nil, s.tooLarge(r)
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(bodyTimeout)); err != nil {
		return nil, fmt.Errorf("set a deadline: %w", err)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.maxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, s.tooLarge(r)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, problem(kindTimeout, "the body did not arrive in time")
	}
	if err != nil {
		return nil, problem(kindInvalid, "the body ended too early")
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("reset a deadline: %w", err)
	}
	return body, nil
}

func (s *api) tooLarge(r *http.Request) error {
	if mediaType, err := bodyType(r); err == nil && mediaType == typeNDJSON {
		return problem(kindTooLarge, "the batch has more than %d bytes: split it, or raise max_message_bytes", s.maxBody)
	}
	return problem(kindTooLarge, "the message takes more than %d bytes in the request: give the payload as payload_base64, send less, or raise max_message_bytes", s.maxBody)
}

// decodeSendRequest reads a request to send.
func decodeSendRequest(body []byte) (request SendRequest, err error) {
	err = decodeObject(body, func(name string) any {
		for _, fields := range []func(string) any{request.content, request.delivery, request.recipient} {
			if target := fields(name); target != nil {
				return target
			}
		}
		return nil
	})
	return request, err
}

// content returns the field with that name, of those about what is sent.
func (r *SendRequest) content(name string) any {
	switch name {
	case "endpoint":
		return &r.Endpoint
	case "alternates":
		return &r.Alternates
	case "payload":
		return &r.Payload
	case "payload_base64":
		return &r.PayloadBase64
	case "content_type":
		return &r.ContentType
	case "metadata":
		return (*textMap)(&r.Metadata)
	case "profile":
		return &r.Profile
	case "wire_format":
		return &r.WireFormat
	}
	return nil
}

// delivery returns the field with that name, of those about how it is delivered.
func (r *SendRequest) delivery(name string) any {
	switch name {
	case "idempotency_key":
		return &r.IdempotencyKey
	case "not_before":
		return &r.NotBefore
	case "expires_in":
		return &r.ExpiresIn
	case "retry":
		return &r.Retry
	case "priority":
		return &r.Priority
	case "ordering_key":
		return &r.OrderingKey
	case "on_blocked":
		return &r.OnBlocked
	case "min_evidence":
		return &r.MinEvidence
	}
	return nil
}

// recipient returns the field with that name, of those about whom it is for.
func (r *SendRequest) recipient(name string) any {
	switch name {
	case "recipients":
		return &r.Recipients
	case "routing_keys":
		return &r.RoutingKeys
	case "sender_key":
		return &r.SenderKey
	case "session":
		return &r.Session
	case "thread_id":
		return &r.ThreadID
	case "session_only":
		return &r.SessionOnly
	case "direct":
		return &r.Direct
	}
	return nil
}

// message reads a message from a request's body, or from a line of a batch.
func (s *api) message(ctx context.Context, body []byte, now time.Time) (outbound.Message, error) {
	request, err := decodeSendRequest(body)
	if err != nil {
		return outbound.Message{}, err
	}
	message := outbound.Message{
		ContentType: request.ContentType, Metadata: request.Metadata,
		WireFormat: request.WireFormat, IdempotencyKey: request.IdempotencyKey, NotBefore: request.NotBefore,
		OrderingKey: request.OrderingKey, OnBlocked: outbound.OnBlocked(request.OnBlocked),
		Target:  wireformat.Target{Recipients: request.Recipients, Routing: request.RoutingKeys, Sender: request.SenderKey},
		Session: request.Session, ThreadID: request.ThreadID, SessionOnly: request.SessionOnly, Direct: request.Direct,
	}
	if request.ContentType != "" {
		if mediaType, _, err := mime.ParseMediaType(request.ContentType); err != nil || !strings.Contains(mediaType, "/") {
			return outbound.Message{}, fieldError("content_type", "want a media type such as application/json")
		}
	}
	for _, fill := range []func(*SendRequest, *outbound.Message) error{setPayload, setEndpoints, setRetry, setWords} {
		if err := fill(&request, &message); err != nil {
			return outbound.Message{}, err
		}
	}
	if request.ExpiresIn != "" {
		life, err := time.ParseDuration(request.ExpiresIn)
		if err != nil || life <= 0 {
			return outbound.Message{}, fieldError("expires_in", "want a duration above zero, such as 90s or 24h")
		}
		message.ExpiresAt = now.Add(life)
	}
	message.Profile, err = s.profile(ctx, request.Profile)
	return message, err
}

// profile returns the profile of that id; empty is the default one.
func (s *api) profile(ctx context.Context, id string) (*profile.Profile, error) {
	if id == "" {
		id = profile.DefaultID
	}
	tenant, err := s.profiles.Lookup(ctx, id)
	if err != nil {
		return nil, fieldError("profile", "%w", err)
	}
	return tenant, nil
}

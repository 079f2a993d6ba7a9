package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// kind is a type of problem (RFC 9457). Its title never changes.
type kind struct {
	status int
	slug   string // the end of its URI, relative to the API
	title  string
}

var (
	kindInvalid      = kind{http.StatusBadRequest, "invalid-request", "Invalid request"}
	kindUnauthorized = kind{http.StatusUnauthorized, "unauthorized", "Unauthorized"}
	kindForbidden    = kind{http.StatusForbidden, "forbidden", "Forbidden"}
	kindNotFound     = kind{http.StatusNotFound, "not-found", "Not found"}
	kindMethod       = kind{http.StatusMethodNotAllowed, "method-not-allowed", "Method not allowed"}
	kindTimeout      = kind{http.StatusRequestTimeout, "timeout", "Request took too long"}
	kindConflict     = kind{http.StatusConflict, "conflict", "Not possible in this state"}
	kindTooLarge     = kind{http.StatusRequestEntityTooLarge, "too-large", "Too large"}
	kindMediaType    = kind{http.StatusUnsupportedMediaType, "unsupported-media-type", "Unsupported media type"}
	kindQuota        = kind{http.StatusTooManyRequests, "quota-exceeded", "Quota exceeded"}
	kindInternal     = kind{http.StatusInternalServerError, "internal", "Internal error"}
	kindQueueFull    = kind{http.StatusServiceUnavailable, "queue-full", "Queue is full"}
	kindStopping     = kind{http.StatusServiceUnavailable, "stopping", "Shutting down"}
	kindStoreFailed  = kind{http.StatusServiceUnavailable, "store-failed", "Store has failed"}
	kindStoreFull    = kind{http.StatusInsufficientStorage, "store-full", "Store is full"}
)

// problemError is a Problem as an error.
type problemError struct {
	kind
	detail string
	field  string
	line   int
	after  time.Duration // when to try again; 0: never, or nobody knows
}

func (e *problemError) Error() string { return e.detail }

// problem makes an error of a kind.
func problem(k kind, format string, args ...any) *problemError {
	return &problemError{kind: k, detail: fmt.Sprintf(format, args...)}
}

// fieldError says what is wrong with a field of the request.
func fieldError(field, format string, args ...any) error {
	return &outbound.FieldError{Field: field, Err: fmt.Errorf(format, args...)}
}

// lineError says which line of a batch is at fault.
type lineError struct {
	line int // from 1
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }

func (e *lineError) Unwrap() error { return e.err }

// problemOf says what a client is told of an error. What it does not know is
// internal, and told to nobody.
func problemOf(err error) *problemError {
	if line, ok := errors.AsType[*lineError](err); ok {
		p := *problemOf(line.err)
		p.line = line.line
		p.detail = fmt.Sprintf("line %d: %s", line.line, p.detail)
		return &p
	}
	if known, ok := errors.AsType[*problemError](err); ok {
		return known
	}
	if field, ok := errors.AsType[*outbound.FieldError](err); ok {
		p := problem(kindInvalid, "%v", field)
		if errors.Is(err, outbound.ErrPayloadTooLarge) {
			p.kind = kindTooLarge
		}
		p.field = field.Field
		return p
	}
	if quota, ok := errors.AsType[*outbound.QuotaError](err); ok {
		return quotaProblem(quota)
	}
	for _, known := range []struct {
		err    error
		kind   kind
		detail string
	}{
		{outbound.ErrTooLarge, kindTooLarge, "nothing was kept: it is more than the limits on what waits ever allow"},
		{outbound.ErrQueueFull, kindQueueFull, "the queue is full, and nothing was kept: try again when messages have been delivered"},
		{outbound.ErrStopped, kindStopping, "the agent is shutting down: try again when it is back"},
		{queue.ErrClosed, kindStopping, "the agent is shutting down: try again when it is back"},
		{outbound.ErrNothingWaits, kindConflict, "no message waits for an attempt at this destination: send one, and test again"},
		{transport.ErrNoSession, kindConflict, "the recipient has no session: its messages wait until it has one"},
		{outbound.ErrDelivery, kindConflict, "the destination takes nothing now: the attempt does not count, and will be made again"},
		{queue.ErrNotFound, kindNotFound, "there is no message with this id"},
		{queue.ErrStoreFull, kindStoreFull, "nothing was kept: the store has no room for more messages, dead ones included"},
		{queue.ErrStoreDamaged, kindStoreFailed, "nothing was kept: a part of the queue's disk that this needs cannot be read; see docs/store.md"},
		{queue.ErrStoreFailed, kindStoreFailed, "the queue's disk has failed: look after it, then start the agent again"},
		{keyring.ErrKeyMissing, kindConflict, "the content of the message cannot be opened, its key is missing: ask without payload"},
		{sealqueue.ErrDamaged, kindConflict, "the content of the message cannot be opened, it is damaged: ask without payload"},
		{context.Canceled, kindTimeout, "the request was given up"},
		{context.DeadlineExceeded, kindTimeout, "the request took too long"},
	} {
		if errors.Is(err, known.err) {
			p := problem(known.kind, "%s", known.detail)
			if known.kind == kindQueueFull || known.kind == kindStopping {
				p.after = time.Second
			}
			return p
		}
	}
	return problem(kindInternal, "see the log of the agent")
}

// quotaProblem says which limit of the profile is exceeded. A batch that is too
// large for a burst never fits.
func quotaProblem(quota *outbound.QuotaError) *problemError {
	if quota.Limit == "burst" {
		return problem(kindTooLarge, "%v", quota)
	}
	p := problem(kindQuota, "%v", quota)
	p.after = max(quota.RetryAfter, time.Second)
	return p
}

// fail answers a request with its error.
func (s *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.kind == kindInternal {
		s.log.Error("api request failed", zap.String("route", r.Pattern), zap.Error(err))
	}
	switch p.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
		if r.ContentLength != 0 { // or net/http would wait for a body that nobody wants
			w.Header().Set("Connection", "close")
			_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // a client that keeps sending meets open's deadline
		}
	}
	if p.after > 0 {
		seconds := (p.after + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(Problem{ // the client may have gone away
		Type: "/problems/" + p.slug, Title: p.title, Status: p.status, Detail: p.detail, Field: p.field, Line: p.line,
	})
}

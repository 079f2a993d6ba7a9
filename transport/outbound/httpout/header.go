package httpout

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/outrider-go/outrider/transport/httprules"
	"github.com/outrider-go/outrider/transport/outbound"
)

const (
	textType   = "application/json"
	binaryType = "application/octet-stream"
)

// header is that of one request at a time. Nothing of it but the user agent is
// shared with another request under way: net/http may still be writing it when the
// receiver has answered already.
type header struct {
	current http.Header // common or full

	common          http.Header // what every request has; its values are those below
	contentType, id [1]string
	full            http.Header // common, and what else a message needs
}

func (h *header) init(idName string, userAgent []string) {
	h.common = http.Header{"Content-Type": h.contentType[:], idName: h.id[:], "User-Agent": userAgent}
	h.full = http.Header{}
}

// reset lets go of what a message has set.
func (h *header) reset() {
	h.current, h.contentType[0], h.id[0] = nil, "", ""
	clear(h.full)
}

// setHeader makes h, which was reset, the header of m, or says what is wrong with m.
func (t *Transport) setHeader(h *header, m *outbound.Message) *outbound.FieldError {
	if err := checkContentType(m); err != nil {
		return err
	}
	h.contentType[0], h.id[0] = contentTypeOf(m), m.ID.String()
	key, user := m.Endpoint.APIKey(), m.Endpoint.URL().User
	if len(m.Metadata) == 0 && key.IsZero() && user == nil {
		h.current = h.common
		return nil
	}
	if err := t.addMetadata(h.full, m); err != nil {
		return err
	}
	for name, values := range h.common {
		if h.full[name] == nil {
			h.full[name] = values
		}
	}
	if !key.IsZero() {
		h.full[httprules.APIKeyHeader] = []string{key.Reveal()}
	}
	if user != nil {
		h.full["Authorization"] = []string{httprules.BasicAuth(user)}
	}
	h.current = h.full
	return nil
}

// checkHeader says what setHeader would say, without an id.
func (t *Transport) checkHeader(m *outbound.Message) *outbound.FieldError {
	if len(m.Metadata) > 0 {
		if err := t.addMetadata(make(http.Header, len(m.Metadata)), m); err != nil {
			return err
		}
	}
	return checkContentType(m)
}

func checkContentType(m *outbound.Message) *outbound.FieldError {
	if httprules.IsValue(m.ContentType) {
		return nil
	}
	return &outbound.FieldError{Field: "content_type", Err: httprules.ErrControl}
}

func contentTypeOf(m *outbound.Message) string {
	switch {
	case m.ContentType != "":
		return m.ContentType
	case m.Text:
		return textType
	}
	return binaryType
}

// addMetadata makes a header of each entry.
func (t *Transport) addMetadata(h http.Header, m *outbound.Message) *outbound.FieldError {
	values := make([]string, 0, len(m.Metadata))
	for name, value := range m.Metadata {
		key, err := t.headerKey(m, name, value)
		if err == nil && h[key] != nil {
			err = httprules.ErrTwice(name)
		}
		if err != nil {
			return &outbound.FieldError{Field: "metadata", Err: err}
		}
		values = append(values, value)
		h[key] = values[len(values)-1 : len(values) : len(values)]
	}
	return nil
}

// headerKey returns the key of an entry in the header, or why it cannot be one.
func (t *Transport) headerKey(m *outbound.Message, name, value string) (string, error) {
	key, err := httprules.Key(m.Endpoint, name, value)
	if err != nil {
		return "", err
	}
	switch key {
	case "Content-Type":
		return "", fmt.Errorf("%q is not for metadata: set the message's content type", name)
	case t.options.MessageIDHeader:
		return "", httprules.ErrReserved(name)
	case "Idempotency-Key", "X-Idempotency-Key":
		// net/http takes either header, in this spelling, as a permission to send a
		// POST again after it was written. Only the queue repeats messages.
		return strings.ToLower(key), nil
	}
	return key, nil
}

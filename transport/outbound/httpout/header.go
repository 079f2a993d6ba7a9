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

// reserved are the headers that frame the request or belong to one connection,
// and those with a field of their own in a message. Metadata must not set them.
var reserved = map[string]bool{
	"Connection":          true,
	"Content-Length":      true,
	"Content-Type":        true,
	"Expect":              true,
	"Host":                true,
	"Http2-Settings":      true,
	"Keep-Alive":          true,
	"Proxy-Authenticate":  true,
	"Proxy-Authorization": true,
	"Proxy-Connection":    true,
	"Te":                  true,
	"Trailer":             true,
	"Transfer-Encoding":   true,
	"Upgrade":             true,
}

// headerBuilder makes the header of one request. Nothing of it but the user
// agent is shared with another request: net/http may still be writing it when
// the receiver has answered already.
type headerBuilder struct {
	header http.Header
	values []string // what the header's slices point into
}

func (b *headerBuilder) set(name, value string) {
	b.values = append(b.values, value)
	b.header[name] = b.values[len(b.values)-1 : len(b.values) : len(b.values)]
}

// buildHeader fills b with m's header, or says what is wrong with m. b.values has
// room for every value.
func (t *Transport) buildHeader(b *headerBuilder, m *outbound.Message) *outbound.FieldError {
	if err := t.addMetadata(b, m); err != nil {
		return err
	}
	if err := checkContentType(m); err != nil {
		return err
	}
	b.set("Content-Type", contentTypeOf(m))
	b.set(t.options.MessageIDHeader, m.ID.String())
	if b.header["User-Agent"] == nil {
		b.header["User-Agent"] = t.userAgent
	}
	if key := m.Endpoint.APIKey(); !key.IsZero() {
		b.set(httprules.APIKeyHeader, key.Reveal())
	}
	if user := m.Endpoint.URL().User; user != nil {
		b.set("Authorization", httprules.BasicAuth(user))
	}
	return nil
}

// checkHeader says what buildHeader would say, without an id.
func (t *Transport) checkHeader(m *outbound.Message) *outbound.FieldError {
	if len(m.Metadata) > 0 {
		b := headerBuilder{header: make(http.Header, len(m.Metadata))}
		if err := t.addMetadata(&b, m); err != nil {
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
func (t *Transport) addMetadata(b *headerBuilder, m *outbound.Message) *outbound.FieldError {
	for name, value := range m.Metadata {
		key, err := t.headerKey(m, name, value)
		if err == nil && b.header[key] != nil {
			err = httprules.ErrTwice(name)
		}
		if err != nil {
			return &outbound.FieldError{Field: "metadata", Err: err}
		}
		b.set(key, value)
	}
	return nil
}

// headerKey returns the key of an entry in the header, or why it cannot be one.
func (t *Transport) headerKey(m *outbound.Message, name, value string) (string, error) {
	key, err := httprules.Key(m.Endpoint, name, value)
	if err != nil {
		return "", err
	}
	switch {
	case key == "Content-Type":
		return "", fmt.Errorf("%q is not for metadata: set the message's content type", name)
	case reserved[key], key == t.options.MessageIDHeader:
		return "", httprules.ErrReserved(name)
	case key == "Idempotency-Key", key == "X-Idempotency-Key":
		// net/http takes either header, in this spelling, as a permission to send a
		// POST again after it was written. Only the queue repeats messages.
		return strings.ToLower(key), nil
	}
	return key, nil
}

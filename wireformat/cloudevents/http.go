package cloudevents

import (
	"fmt"
	"net/http"
	"strings"
)

// ParseRequest reads what came over HTTP, in whichever mode: one event, or those of
// a batch. The error wraps [ErrEvent].
func ParseRequest(header http.Header, body []byte) ([]*Event, error) {
	contentType := header.Get("Content-Type")
	switch bare, _, _ := strings.Cut(strings.ToLower(contentType), ";"); strings.TrimSpace(bare) {
	case TypeBatch:
		return ParseBatch(body)
	case TypeStructured:
		return one(Parse(body))
	default:
		if strings.HasPrefix(bare, "application/cloudevents") {
			return nil, fmt.Errorf("%w: it is in another format than JSON", ErrEvent)
		}
	}
	flat := make(map[string]string, len(header))
	for name, values := range header {
		flat[name] = values[0]
		if _, ok := httpBinding.attribute(name); ok && len(values) > 1 {
			return nil, fmt.Errorf("%w: an attribute is there twice", ErrEvent)
		}
	}
	return one(httpBinding.parse(flat, contentType, body))
}

func one(e *Event, err error) ([]*Event, error) {
	if err != nil {
		return nil, err
	}
	return []*Event{e}, nil
}

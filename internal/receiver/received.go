package receiver

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Received is a message as it arrived. As JSON it is one object with the names
// scheme, method, path, query, headers, content_type, payload, received_at, remote
// and session; in place of payload it has payload_base64 where the payload is not
// UTF-8.
type Received struct {
	Scheme      string
	Method      string
	Path        string // as it was sent, percent-encoded
	Query       string // without the "?"
	Headers     map[string]string
	ContentType string
	Payload     []byte
	ReceivedAt  time.Time
	Remote      string // host:port of the sender
	Session     string // of a receiver that has sessions
}

// record is Received as JSON.
type record struct {
	Scheme        string            `json:"scheme"`
	Method        string            `json:"method,omitempty"`
	Path          string            `json:"path"`
	Query         string            `json:"query,omitempty"`
	Headers       map[string]string `json:"headers"`
	ContentType   string            `json:"content_type"`
	Payload       *string           `json:"payload,omitempty"`
	PayloadBase64 *[]byte           `json:"payload_base64,omitempty"`
	ReceivedAt    time.Time         `json:"received_at"`
	Remote        string            `json:"remote"`
	Session       string            `json:"session,omitempty"`
}

// MarshalJSON returns the message in one line.
func (r Received) MarshalJSON() ([]byte, error) {
	out := record{
		Scheme: r.Scheme, Method: r.Method, Path: r.Path, Query: r.Query, Headers: r.Headers,
		ContentType: r.ContentType, ReceivedAt: r.ReceivedAt, Remote: r.Remote, Session: r.Session,
	}
	if utf8.Valid(r.Payload) {
		text := string(r.Payload)
		out.Payload = &text
	} else {
		out.PayloadBase64 = &r.Payload
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON returns.
func (r *Received) UnmarshalJSON(line []byte) error {
	var in record
	if err := json.Unmarshal(line, &in); err != nil {
		return err
	}
	*r = Received{
		Scheme: in.Scheme, Method: in.Method, Path: in.Path, Query: in.Query, Headers: in.Headers,
		ContentType: in.ContentType, ReceivedAt: in.ReceivedAt, Remote: in.Remote, Session: in.Session,
	}
	switch {
	case in.Payload != nil && in.PayloadBase64 != nil:
		return errors.New("received message has both payload and payload_base64")
	case in.Payload != nil:
		r.Payload = []byte(*in.Payload)
	case in.PayloadBase64 != nil:
		r.Payload = *in.PayloadBase64
	}
	return nil
}

// newReceived describes a request with that body. Values of a header that is
// there more than once are joined by ", ".
func newReceived(request *http.Request, body []byte, at time.Time) Received {
	headers := make(map[string]string, len(request.Header)+1)
	for name, values := range request.Header {
		headers[name] = strings.Join(values, ", ")
	}
	headers["Host"] = request.Host
	scheme := "http"
	if request.TLS != nil {
		scheme = "https"
	}
	return Received{
		Scheme: scheme, Method: request.Method, Path: request.URL.EscapedPath(), Query: request.URL.RawQuery,
		Headers: headers, ContentType: request.Header.Get("Content-Type"), Payload: body, ReceivedAt: at, Remote: request.RemoteAddr,
	}
}

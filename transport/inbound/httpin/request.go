package httpin

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

func (t *Transport) serve(now *running, w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		t.receive(now, w, r)
	case t.options.WebSocket != nil && isHandshake(r):
		t.options.WebSocket.ServeHTTP(w, r)
	case r.URL.Path != "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		http.Error(w, "there is nothing to read here: POST a message", http.StatusNotFound)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ready: POST a message\n") // the peer may have gone
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "POST a message", http.StatusMethodNotAllowed)
	}
}

// isHandshake reports the begin of a WebSocket's handshake (RFC 6455 section 4.1).
func isHandshake(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// receive has the request's message handled, and answers.
func (t *Transport) receive(now *running, w http.ResponseWriter, r *http.Request) {
	answer := answerer{t, w, http.NewResponseController(w)}
	if err := t.browsers.Check(r); err != nil {
		answer.status(http.StatusForbidden, inbound.Refused.Text())
		return
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		answer.status(http.StatusUnsupportedMediaType, "a content coding is not understood here: send the body as it is")
		return
	}
	origin, err := inbound.HTTPOrigin(t.scheme, r)
	if err != nil {
		answer.refuse(err)
		return
	}
	session, err := now.host.Open(origin, inbound.SessionOptions{
		Replies: 1, MaxMessageBytes: t.options.MaxMessageBytes, HandlerWait: t.options.HandlerWait,
	})
	if err != nil {
		answer.refuse(err)
		return
	}
	defer session.Close()
	body, err := session.Read(r.Body, r.ContentLength)
	if err != nil {
		answer.unread(err)
		return
	}
	// Whoever is held open is no slow sender; and what ends with the deadline would
	// look like a peer that has gone.
	_ = answer.SetReadDeadline(time.Time{}) // the worst is that it is not held for as long
	if err := session.Receive(r.Context(), frameOf(r, origin, body)); err != nil {
		answer.refuse(err)
		return
	}
	reply := session.Await(r.Context())
	switch {
	case reply == nil:
		answer.empty()
	case r.Context().Err() != nil && !now.server.Stopping():
		reply.Done(0, inbound.ErrUnwritten) // the peer has gone
	default:
		answer.reply(reply)
	}
}

func frameOf(r *http.Request, origin *inbound.Origin, body []byte) wireformat.Frame {
	contentType := r.Header.Get("Content-Type")
	return wireformat.Frame{
		ContentType: contentType, Text: isJSON(contentType) && utf8.Valid(body), Header: origin.Header, Body: body,
	}
}

// isJSON reports application/json and what is built on it, by its suffix.
func isJSON(contentType string) bool {
	const plain, suffix = "application/json", "+json"
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.TrimSpace(mediaType)
	return strings.EqualFold(mediaType, plain) ||
		len(mediaType) > len(suffix) && strings.EqualFold(mediaType[len(mediaType)-len(suffix):], suffix)
}

// unread answers a request whose body could not be read.
func (a answerer) unread(err error) {
	var refusal inbound.Refusal
	switch refusal = inbound.RefusalOf(err); {
	case refusal != inbound.Failed:
		a.refuse(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		a.status(http.StatusRequestTimeout, "the message has not come in time")
	default:
		a.status(http.StatusBadRequest, inbound.Malformed.Text())
	}
}

package httpin

import (
	"net/http"
	"strconv"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
)

// answerer answers one request.
type answerer struct {
	t *Transport
	w http.ResponseWriter
	*http.ResponseController
}

// statuses are what refusals are in HTTP.
var statuses = map[inbound.Refusal]int{
	inbound.Malformed:        http.StatusBadRequest,
	inbound.UnknownRecipient: http.StatusNotFound,
	inbound.Refused:          http.StatusForbidden,
	inbound.TooLarge:         http.StatusRequestEntityTooLarge,
	inbound.Busy:             http.StatusServiceUnavailable,
	inbound.Failed:           http.StatusInternalServerError,
}

// begin bounds the time for an answer.
func (a answerer) begin() {
	_ = a.SetWriteDeadline(time.Now().Add(a.t.options.WriteTimeout)) // every server has deadlines
}

func (a answerer) refuse(err error) {
	refusal := inbound.RefusalOf(err)
	if refusal == inbound.Busy {
		a.w.Header().Set("Retry-After", a.t.retryAfter)
	}
	a.status(statuses[refusal], refusal.Text())
}

func (a answerer) status(code int, text string) {
	a.begin()
	http.Error(a.w, text, code)
}

// empty answers 200 without a body.
func (a answerer) empty() {
	a.begin()
	a.w.WriteHeader(http.StatusOK)
}

// reply answers with a message, and tells what became of it.
func (a answerer) reply(o *inbound.Outgoing) {
	a.begin()
	header := a.w.Header()
	for name, value := range o.Frame.Header {
		if name = http.CanonicalHeaderKey(name); !connectionHeaders[name] {
			header.Set(name, value) // net/http leaves out what cannot be a header
		}
	}
	if o.Frame.ContentType != "" {
		header.Set("Content-Type", o.Frame.ContentType)
	} else {
		header["Content-Type"] = nil // it is not to be guessed
	}
	if !o.ID.IsZero() {
		header.Set(inbound.HeaderMessageID, o.ID.String())
	}
	header.Set("Content-Length", strconv.Itoa(len(o.Frame.Body)))
	a.w.WriteHeader(http.StatusOK)
	_, err := a.w.Write(o.Frame.Body) //nolint:gosec // a message, of a type of its own, and no page
	if err == nil {
		err = a.Flush()
	}
	if err != nil {
		o.Done(transport.None, err)
		return
	}
	o.Done(transport.Written, nil)
}

// connectionHeaders belong to HTTP and to this connection, or say to a browser
// what only we may say.
var connectionHeaders = map[string]bool{
	"Connection": true, "Content-Encoding": true, "Content-Length": true, "Content-Type": true, "Date": true,
	"Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Connection": true, "Server": true, "Set-Cookie": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Www-Authenticate": true,
	"Access-Control-Allow-Origin": true, "Access-Control-Allow-Credentials": true,
}

// seconds rounds up: 0 would mean at once.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Receiver is an http.Handler that records requests and answers them as the
// options say. Make it with [New], and serve it with [Receiver.Listen].
type Receiver struct {
	options  Options
	requests atomic.Int64
}

// New returns a receiver that listens nowhere yet. The error names each option
// that is wrong.
func New(options Options) (*Receiver, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Receiver{options: options}, nil
}

// ServeHTTP implements [http.Handler].
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	answer := r.options.Script(int(r.requests.Add(1))).withDefaults()
	body, err := r.read(w, request)
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		http.Error(w, fmt.Sprintf("the body is longer than %d bytes", tooLong.Limit), http.StatusRequestEntityTooLarge)
	case err != nil:
		hangUp(w) // the sender broke off
	default:
		received := newReceived(request, body, time.Now())
		r.options.Sink(received)
		if r.options.Reply != nil {
			answer = r.options.Reply(received).withDefaults()
		}
		give(w, request, answer)
	}
}

// read reads the body, and gives the sender no longer than readTimeout. The
// deadline goes when it is read: the answer may take longer.
func (r *Receiver) read(w http.ResponseWriter, request *http.Request) ([]byte, error) {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(readTimeout)) // a test without a connection has none
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, r.options.MaxBody))
	_ = connection.SetReadDeadline(time.Time{})
	return body, err
}

// give answers a request that was recorded.
func give(w http.ResponseWriter, request *http.Request, answer Answer) {
	if !wait(request.Context(), answer.Delay) || answer.Hangup {
		hangUp(w)
		return
	}
	if err := validStatus("Status of the script's answer", answer.Status); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if answer.RetryAfter > 0 && answer.Status >= http.StatusMultipleChoices {
		w.Header().Set("Retry-After", strconv.Itoa(answer.RetryAfter))
	}
	w.WriteHeader(answer.Status)
}

// wait returns false when the sender or the server is gone before the delay is
// over.
func wait(ctx context.Context, delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// hangUp closes the connection without an answer, where it can be had: in a test
// without one the answer is 502.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "the connection cannot be closed without an answer", http.StatusBadGateway)
		return
	}
	_ = conn.Close() // nobody is left to tell
}

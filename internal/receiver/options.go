package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// DefaultMaxBody is the longest body taken where the options do not say, in
// bytes: ACA-Py's limit.
const DefaultMaxBody = 2 << 20

// Answer is what a request is answered.
type Answer struct {
	// Status is the HTTP status, 200 to 599. Default: 200.
	Status int
	// RetryAfter is the value of the Retry-After header, in seconds, of answers
	// that are no success. Default: no header.
	RetryAfter int
	// Delay is how long the answer takes. Default: none.
	Delay time.Duration
	// Hangup closes the connection in place of an answer, after the delay.
	// Default: it answers.
	Hangup bool
}

// Options of a [Receiver]. The zero value answers 200 to everything.
type Options struct {
	// Answer is given to every request that the options below leave alone.
	Answer
	// FailFirst is how many requests are answered FailStatus, before the others
	// get Answer. Default: none.
	FailFirst int
	// FailStatus is the status of those. Default: 503.
	FailStatus int
	// Script returns the answer to the n-th request, from 1, in place of all
	// that. It is called by many goroutines at once. Default: none.
	Script func(n int) Answer
	// Sink takes each message that was received whole, before it is answered. It
	// is called by many goroutines at once. Default: nothing is kept.
	Sink func(Received)
	// Reply returns the answer to a message that was received whole, after Sink and
	// in place of all answers above. It is called by many goroutines at once.
	// Default: none.
	Reply func(Received) Answer
	// MaxBody is the longest body taken, in bytes. Default: 2 MiB.
	MaxBody int64
}

// withDefaults returns a copy with the defaults in place.
func (o Options) withDefaults() (Options, error) {
	o.Answer = o.Answer.withDefaults()
	if o.FailStatus == 0 {
		o.FailStatus = http.StatusServiceUnavailable
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.Sink == nil {
		o.Sink = func(Received) {}
	}
	if o.Script == nil {
		o.Script = o.answerTo
	}
	return o, o.validate()
}

func (a Answer) withDefaults() Answer {
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	return a
}

func (o Options) validate() error {
	faults := []error{validStatus("Status", o.Status), validStatus("FailStatus", o.FailStatus)}
	if o.RetryAfter < 0 {
		faults = append(faults, errors.New("receiver: options: RetryAfter is negative"))
	}
	if o.Delay < 0 {
		faults = append(faults, errors.New("receiver: options: Delay is negative"))
	}
	if o.FailFirst < 0 {
		faults = append(faults, errors.New("receiver: options: FailFirst is negative"))
	}
	if o.MaxBody < 0 {
		faults = append(faults, errors.New("receiver: options: MaxBody is negative"))
	}
	return errors.Join(faults...)
}

func validStatus(field string, status int) error {
	if status < 200 || status > 599 {
		return fmt.Errorf("receiver: options: %s is %d: want 200 to 599", field, status)
	}
	return nil
}

// answerTo is the script where there is none.
func (o Options) answerTo(n int) Answer {
	answer := o.Answer
	if n <= o.FailFirst {
		answer.Status = o.FailStatus
	}
	return answer
}

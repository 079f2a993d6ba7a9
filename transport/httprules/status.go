package httprules

import (
	"net/http"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// ClassOf says what a final status means for the message: 2xx is success, 410
// permanent, all else temporary. strict makes 501, 505 and those 4xx permanent
// that [IsPassing] does not know.
func ClassOf(status int, strict bool) transport.Class {
	switch {
	case status >= 200 && status <= 299:
		return transport.Success
	case status == http.StatusGone:
		return transport.Permanent
	case IsPassing(status):
		return transport.Temporary
	case status >= 400 && strict:
		return transport.Permanent
	}
	return transport.Temporary
}

// IsPassing reports a status after which the same request may succeed, and whose
// Retry-After counts.
func IsPassing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500
}

// RetryAfter returns how long an answer asks to be left alone, and whether it
// throttles: 429 and 503 do, where they name a time.
func RetryAfter(resp *http.Response, now time.Time) (wait time.Duration, throttled bool) {
	if !IsPassing(resp.StatusCode) {
		return 0, false
	}
	wait, asked := ParseRetryAfter(resp.Header.Get("Retry-After"), now)
	return wait, asked && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable)
}

// StatusText is the status in words of our own: a receiver's reason phrase may
// repeat what it was sent.
func StatusText(status int) string {
	if status >= 300 && status <= 399 {
		return "redirects are not followed: make the endpoint the final address"
	}
	if text := http.StatusText(status); text != "" {
		return strings.ToLower(text)
	}
	return "unknown status"
}

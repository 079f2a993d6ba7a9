package httprules

import (
	"net/http"
	"strings"
	"time"
)

// MaxRetryAfter is the longest pause that [ParseRetryAfter] returns.
const MaxRetryAfter = 24 * time.Hour

// ParseRetryAfter reads the value of a Retry-After header (RFC 9110 section
// 10.2.3), seconds or a date, and returns how long to wait from now on: at least
// nothing and at most [MaxRetryAfter]. ok is false where the value is neither.
func ParseRetryAfter(value string, now time.Time) (wait time.Duration, ok bool) {
	value = strings.TrimSpace(value)
	if wait, ok := parseSeconds(value); ok {
		return wait, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter), true
}

// parseSeconds reads digits, however many, and counts a negative number as zero.
func parseSeconds(text string) (time.Duration, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	if digits == "" {
		return 0, false
	}
	seconds := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		seconds = min(seconds*10+int(digits[i]-'0'), int(MaxRetryAfter/time.Second))
	}
	if negative {
		return 0, true
	}
	return time.Duration(seconds) * time.Second, true
}

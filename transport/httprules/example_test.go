package httprules_test

import (
	"fmt"
	"time"

	"github.com/outrider-go/outrider/transport/httprules"
)

func ExampleParseRetryAfter() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, value := range []string{"120", "Sun, 01 Mar 2026 12:00:30 GMT", "31536000"} {
		wait, _ := httprules.ParseRetryAfter(value, now)
		fmt.Println(wait)
	}
	// Output:
	// 2m0s
	// 30s
	// 24h0m0s
}

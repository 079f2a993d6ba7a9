package stats_test

import (
	"fmt"
	"time"

	"github.com/outrider-go/outrider/stats"
)

func Example() {
	c := stats.New()
	post := c.Metric("outbound:post") // resolve once, observe often
	post.Observe(20 * time.Millisecond)
	post.Observe(40 * time.Millisecond)
	c.CountError("temporary")

	s := c.Snapshot()
	fmt.Printf("%d posts, average %.3f s, errors %v\n", s.Metrics["outbound:post"].Count, s.Metrics["outbound:post"].Avg, s.Errors)
	// Output: 2 posts, average 0.030 s, errors map[temporary:1]
}

func ExampleTimer() {
	c := stats.New()
	func() {
		defer c.Timer("encode", "all").Start().Stop()
	}()
	fmt.Println(c.Extract().Count)
	// Output: map[all:1 encode:1]
}

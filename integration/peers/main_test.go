//go:build unix

// Package peers tests WebSockets, sessions and what an agent receives against the
// implementations of others: Python's websockets, aiohttp and autobahn, a browser,
// and agents in processes of their own. The programs are those of Debian's
// packages; scripts has what drives them.
package peers

import (
	"flag"
	"testing"

	"github.com/outrider-go/outrider/internal/leak"
)

var messages = flag.Int("messages", 2_500, "how many messages agents send each other, each way")

func TestMain(m *testing.M) {
	flag.Parse()
	leak.Main(m)
}

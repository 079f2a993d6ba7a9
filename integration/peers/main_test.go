//go:build unix

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

//go:build unix

package brokers

import (
	"testing"

	"github.com/outrider-go/outrider/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

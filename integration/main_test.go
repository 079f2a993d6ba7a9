// Package integration tests the module as a whole, from the outside.
package integration

import (
	"testing"

	"github.com/outrider-go/outrider/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

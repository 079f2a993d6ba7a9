// Package leak fails a package's tests when they leave goroutines behind.
package leak

import (
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package: call it from TestMain.
func Main(m *testing.M) { goleak.VerifyTestMain(m) }

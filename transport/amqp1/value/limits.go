package value

import (
	"cmp"
	"errors"
	"fmt"
	"math"
)

// Limits where [Limits] does not say otherwise.
const (
	DefaultMaxDepth  = 64
	DefaultMaxValues = 1 << 20
	DefaultMaxBytes  = 16 << 20
)

// Limits of encoding and decoding. The zero value has the defaults.
type Limits struct {
	// MaxDepth is how deep lists, maps, arrays and descriptors may nest, from 1 to
	// 10000. Default: [DefaultMaxDepth].
	MaxDepth int
	// MaxValues is how many values there may be, all levels counted, when
	// decoding. Each takes about 16 bytes of memory beside its own. Default:
	// [DefaultMaxValues].
	MaxValues int
	// MaxBytes is how long the encoded value may be, at most 4 GiB less one byte.
	// Default: [DefaultMaxBytes].
	MaxBytes int
}

const (
	// maxMaxDepth keeps recursion within what a goroutine's stack allows.
	maxMaxDepth = 10000
	// maxMaxBytes is what a size of four bytes can say, and an int.
	maxMaxBytes = math.MaxUint32 & math.MaxInt
)

// Validate returns an error that names each field out of its range.
func (l Limits) Validate() error {
	var faults []error
	if l.MaxDepth < 0 || l.MaxDepth > maxMaxDepth {
		faults = append(faults, fmt.Errorf("MaxDepth is %d: want 1 to %d, or 0 for the default", l.MaxDepth, maxMaxDepth))
	}
	if l.MaxValues < 0 {
		faults = append(faults, errors.New("MaxValues is negative"))
	}
	if l.MaxBytes < 0 || l.MaxBytes > maxMaxBytes {
		faults = append(faults, fmt.Errorf("MaxBytes is %d: want 1 to %d, or 0 for the default", l.MaxBytes, maxMaxBytes))
	}
	return errors.Join(faults...)
}

// Defaults returns the limits with the default for each field that is 0. Those
// out of their range are brought into it, so that limits that nobody validated
// are safe too.
func (l Limits) Defaults() Limits {
	return Limits{
		MaxDepth:  min(cmp.Or(max(l.MaxDepth, 0), DefaultMaxDepth), maxMaxDepth),
		MaxValues: cmp.Or(max(l.MaxValues, 0), DefaultMaxValues),
		MaxBytes:  min(cmp.Or(max(l.MaxBytes, 0), DefaultMaxBytes), maxMaxBytes),
	}
}

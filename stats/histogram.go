package stats

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// A histogram has one row of buckets for each power of two, and 16 buckets of
// equal width in a row: a bucket is at most 1/16 as wide as the values in it, so
// its middle is off by at most 1/32. The first row holds 0 to 15 exactly. Rows
// are made when a value first falls into them.
const (
	bucketBits = 4
	rowLength  = 1 << bucketBits
	rowCount   = 63 - bucketBits + 1 // up to the largest int64
)

type (
	row       [rowLength]atomic.Int64
	histogram [rowCount]atomic.Pointer[row]
)

// bucketOf returns the row and the bucket of a value.
func bucketOf(value uint64) (int, int) {
	if value < rowLength {
		return 0, int(value)
	}
	shift := bits.Len64(value) - bucketBits - 1
	return shift + 1, int(value>>shift) - rowLength //nolint:gosec // 16 to 31 before the subtraction
}

// middleOf returns the value in the middle of a bucket.
func middleOf(rowIndex, bucket int) int64 {
	if rowIndex == 0 {
		return int64(bucket)
	}
	shift := rowIndex - 1
	return int64(rowLength+bucket)<<shift + int64(1)<<shift>>1
}

func (h *histogram) count(value uint64) {
	rowIndex, bucket := bucketOf(value)
	buckets := h[rowIndex].Load()
	for buckets == nil {
		h[rowIndex].CompareAndSwap(nil, new(row))
		buckets = h[rowIndex].Load()
	}
	buckets[bucket].Add(1)
}

// counts is what a histogram held when it was read.
type counts [rowCount][rowLength]int64

func (h *histogram) read() *counts {
	var c counts
	for i := range h {
		if buckets := h[i].Load(); buckets != nil {
			for j := range buckets {
				c[i][j] = buckets[j].Load()
			}
		}
	}
	return &c
}

func (c *counts) total() int64 {
	var total int64
	for i := range c {
		for _, n := range c[i] {
			total += n
		}
	}
	return total
}

// quantile returns the smallest value that at least the share q of the values is
// not above, in the unit they were counted in.
func (c *counts) quantile(q float64) int64 {
	rank := int64(math.Ceil(q*float64(c.total()))) - 1 // counted from 0
	for i := range c {
		for j, n := range c[i] {
			if rank < n {
				return middleOf(i, j)
			}
			rank -= n
		}
	}
	return 0 // nothing was counted
}

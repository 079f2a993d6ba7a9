package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"
)

func checkBucket(t *testing.T, value uint64) {
	t.Helper()
	row, bucket := bucketOf(value)
	if row < 0 || row >= rowCount || bucket < 0 || bucket >= rowLength {
		t.Fatalf("%d is in row %d, bucket %d", value, row, bucket)
	}
	middle := middleOf(row, bucket)
	if off := math.Abs(float64(middle) - float64(value)); off > float64(value)/20 {
		t.Errorf("%d counts as %d: off by more than 5 percent", value, middle)
	}
	if againRow, again := bucketOf(uint64(middle)); againRow != row || again != bucket {
		t.Errorf("the middle of the bucket of %d is in another bucket", value)
	}
}

func TestBucketsKeepTheError(t *testing.T) {
	t.Parallel()
	for value := range uint64(5000) {
		checkBucket(t, value)
	}
	for shift := range 63 {
		for _, delta := range []uint64{0, 1} {
			checkBucket(t, uint64(1)<<shift-delta)
		}
	}
	checkBucket(t, math.MaxInt64)
}

func FuzzBuckets(f *testing.F) {
	f.Add(uint64(0), uint64(1))
	f.Add(uint64(15), uint64(16))
	f.Add(uint64(math.MaxInt64), uint64(math.MaxInt64-1))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		a, b = a&math.MaxInt64, b&math.MaxInt64
		checkBucket(t, a)
		rowA, bucketA := bucketOf(min(a, b))
		rowB, bucketB := bucketOf(max(a, b))
		if rowA > rowB || rowA == rowB && bucketA > bucketB {
			t.Errorf("the order of %d and %d is lost", a, b)
		}
	})
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) // a fixed sequence
	tests := []struct {
		name string
		n    int
		next func(i int) time.Duration
	}{
		{"one", 1, func(int) time.Duration { return 1234567 }},
		{"two", 2, func(i int) time.Duration { return time.Duration(1+i*1000) * time.Microsecond }},
		{"linear", 10_000, func(i int) time.Duration { return time.Duration(i) * time.Microsecond }},
		{"constant", 1000, func(int) time.Duration { return 7 * time.Millisecond }},
		{"exponential", 10_000, func(int) time.Duration { return time.Duration(random.ExpFloat64() * 1e7) }},
		{"two humps", 10_000, func(i int) time.Duration { return time.Duration(1+i%10/9*999) * time.Millisecond }},
		{"nanoseconds", 100, func(i int) time.Duration { return time.Duration(i) }},
	}
	for _, tt := range tests {
		values := make([]time.Duration, tt.n) // made here: the random source is for one goroutine
		for i := range values {
			values[i] = tt.next(i)
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			metric := New().Metric("m")
			for _, value := range values {
				metric.Observe(value)
			}
			slices.Sort(values)
			got, _ := metric.summary()
			for _, q := range []struct {
				share, got float64
			}{{0.5, got.P50}, {0.9, got.P90}, {0.99, got.P99}} {
				want := values[int(math.Ceil(q.share*float64(tt.n)))-1].Seconds()
				if math.Abs(q.got-want) > want*0.05 {
					t.Errorf("p%v: got %v, want %v", q.share*100, q.got, want)
				}
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	metric := New().Metric("m")
	if metric.data.Load() != nil {
		t.Error("a metric without observations has buckets")
	}
	if size := unsafe.Sizeof(data{}); size > 512 {
		t.Errorf("the fixed part has %d bytes", size)
	}
	for d := time.Duration(1); d > 0; d <<= 1 {
		metric.Observe(d)
	}
	rows := 0
	for i := range metric.data.Load().histogram {
		if metric.data.Load().histogram[i].Load() != nil {
			rows++
		}
	}
	if total := rows*int(unsafe.Sizeof(row{})) + int(unsafe.Sizeof(data{})); total > 8<<10+512 {
		t.Errorf("%d rows, %d bytes", rows, total)
	}
}

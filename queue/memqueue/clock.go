package memqueue

import (
	"math"
	"time"
)

// clock turns times into ticks: nanoseconds on the monotonic clock, counted from
// the wall clock's value when the store was made. Setting the wall clock later
// does not move them.
type clock struct {
	base   time.Time
	origin int64 // base's wall clock
}

func newClock() clock {
	now := time.Now()
	return clock{base: now, origin: toWall(now)}
}

// instant is one moment on both clocks.
type instant struct {
	time time.Time
	wall int64 // as toWall gives it
	tick int64
}

func (c *clock) now() instant {
	now := time.Now()
	return instant{time: now, wall: now.UnixNano(), tick: c.origin + int64(now.Sub(c.base))}
}

// after returns the tick that is d later.
func (n instant) after(d time.Duration) int64 {
	if d > 0 && n.tick > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return n.tick + int64(d)
}

// tickOf returns the tick of t, and that of n where t is earlier or zero.
func (n instant) tickOf(t time.Time) int64 {
	if t.IsZero() {
		return n.tick
	}
	return n.after(max(0, t.Sub(n.time)))
}

// timeOf is the opposite of tickOf.
func (n instant) timeOf(tick int64) time.Time { return n.time.Add(time.Duration(tick - n.tick)) }

// The ends of what fits into the nanoseconds of an int64.
var (
	minWall = time.Unix(0, 1)
	maxWall = time.Unix(0, math.MaxInt64)
)

// toWall returns a time in 8 bytes; 0 stands for the zero time.
func toWall(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Before(minWall):
		return 1
	case t.After(maxWall):
		return math.MaxInt64
	}
	return t.UnixNano()
}

func fromWall(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

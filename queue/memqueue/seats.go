package memqueue

// seats finds leased items by the tokens of their leases: a token is the item's
// seat, and how often the item has been leased.
type seats struct {
	items  []*item // nil: the seat is free
	vacant []int32
}

// ticket is the token of the item's lease.
func (it *item) ticket() uint64 { return uint64(it.slot)<<32 | uint64(it.token) } //nolint:gosec // seats count from 0

// of returns the item in a token's seat, nil where that is free.
func (s *seats) of(token uint64) *item {
	if seat := token >> 32; seat < uint64(len(s.items)) {
		return s.items[seat]
	}
	return nil
}

// take gives an item a seat.
func (s *seats) take(it *item) (seat int32) {
	last := len(s.vacant) - 1
	if last < 0 {
		s.items = append(s.items, it)
		return int32(len(s.items) - 1) //nolint:gosec // fewer than 2 billion items
	}
	seat, s.vacant = s.vacant[last], s.vacant[:last]
	s.items[seat] = it
	return seat
}

// free gives a seat back, and with the last one the room that many have taken.
func (s *seats) free(seat int32) {
	const small = 1024
	s.items[seat] = nil
	s.vacant = append(s.vacant, seat)
	if len(s.vacant) == len(s.items) && len(s.items) > small {
		*s = seats{}
	}
}

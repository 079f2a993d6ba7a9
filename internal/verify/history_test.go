package verify_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/internal/leak"
	"github.com/outrider-go/outrider/internal/verify"
)

func TestMain(m *testing.M) { leak.Main(m) }

// told is a history of letters a, b, c... that are accepted under the ids A, B,
// C..., in one queue.
func told(n int) *verify.History {
	h := verify.NewHistory()
	for i := range n {
		name := string(rune('a' + i))
		h.Send(verify.Letter{Name: name, Order: "key", MayDie: name == "d"})
		h.Accept(name, strings.ToUpper(name))
	}
	return h
}

// arrive tells of a letter that arrives as it should.
func arrive(h *verify.History, life int, names string) {
	for _, name := range names {
		h.Receive(verify.Receipt{Name: string(name), ID: strings.ToUpper(string(name)), Life: life, OK: true, Intact: true})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		run  func(*verify.History)
		want []verify.Kind
	}{
		"all arrive": {func(h *verify.History) { arrive(h, 1, "abc") }, nil},
		"one waits": {func(h *verify.History) {
			arrive(h, 1, "ab")
			h.End("C", verify.Waiting)
		}, nil},
		"one was cancelled, one expired": {func(h *verify.History) {
			arrive(h, 1, "c")
			h.End("A", verify.Cancelled)
			h.End("B", verify.Expired)
		}, nil},
		"one is not there": {func(h *verify.History) { arrive(h, 1, "ac") }, []verify.Kind{verify.Lost}},
		"one is said to be delivered": {func(h *verify.History) {
			arrive(h, 1, "ac")
			h.End("B", verify.Delivered)
		}, []verify.Kind{verify.Lost}},
		"one was given up": {func(h *verify.History) {
			arrive(h, 1, "ac")
			h.End("B", verify.Dead)
		}, []verify.Kind{verify.Lost}},
		"one was refused by its receiver, only": {func(h *verify.History) {
			h.Receive(verify.Receipt{Name: "a", ID: "A", Life: 1, Intact: true})
			arrive(h, 1, "bc")
		}, []verify.Kind{verify.Lost}},
		"twice in one life": {func(h *verify.History) { arrive(h, 1, "abbc") }, []verify.Kind{verify.Repeated}},
		"again after a crash": {func(h *verify.History) {
			arrive(h, 1, "ab")
			h.Crash(1, 1)
			arrive(h, 2, "bc")
		}, nil},
		"again without a crash": {func(h *verify.History) {
			arrive(h, 1, "ab")
			arrive(h, 2, "bc")
		}, []verify.Kind{verify.Repeated}},
		"more again than were in flight": {func(h *verify.History) {
			arrive(h, 1, "ab")
			h.Crash(1, 1)
			arrive(h, 2, "abc")
		}, []verify.Kind{verify.Reordered, verify.Repeated}},
		"out of order": {func(h *verify.History) { arrive(h, 1, "acb") }, []verify.Kind{verify.Reordered}},
		"out of order where it was refused": {func(h *verify.History) {
			arrive(h, 1, "a")
			h.Receive(verify.Receipt{Name: "c", ID: "C", Life: 1, Intact: true})
			arrive(h, 1, "bc")
		}, []verify.Kind{verify.Reordered}},
		"read after the next life's": {func(h *verify.History) {
			h.Crash(1, 1)
			arrive(h, 2, "a")
			arrive(h, 1, "a")
			arrive(h, 2, "bc")
		}, nil},
		"damaged": {func(h *verify.History) {
			arrive(h, 1, "ab")
			h.Receive(verify.Receipt{Name: "c", ID: "C", Life: 1, OK: true})
		}, []verify.Kind{verify.Damaged}},
		"with another id": {func(h *verify.History) {
			arrive(h, 1, "ab")
			h.Receive(verify.Receipt{Name: "c", ID: "X", Life: 1, OK: true, Intact: true})
		}, []verify.Kind{verify.Damaged}},
		"accepted twice": {func(h *verify.History) {
			arrive(h, 1, "abc")
			h.Accept("c", "X")
		}, []verify.Kind{verify.Damaged}},
		"never sent": {func(h *verify.History) { arrive(h, 1, "abcz") }, []verify.Kind{verify.Unknown}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := told(3)
			test.run(h)
			r := h.Check()
			var got []verify.Kind
			for _, fault := range r.Faults {
				got = append(got, fault.Kind)
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("faults: got %v, want %v", r.Faults, test.want)
			}
			if broken := errors.Is(r.Err(), verify.ErrBroken); broken != (len(test.want) > 0) {
				t.Errorf("Err: got %v", r.Err())
			}
		})
	}
}

func TestCheckCounts(t *testing.T) {
	t.Parallel()
	h := told(5)
	h.Send(verify.Letter{Name: "unanswered"})
	arrive(h, 1, "ab")
	h.Crash(1, 8)
	arrive(h, 2, "b")
	h.Receive(verify.Receipt{Name: "unanswered", ID: "U", Life: 2, OK: true, Intact: true})
	h.Crash(2, 8)
	h.End("C", verify.Waiting)
	h.End("D", verify.Dead)
	h.End("E", verify.Expired)
	if open := h.Open(); open != 2 { // d may die
		t.Errorf("open: got %d, want 2", open)
	}
	r := h.Check()
	want := verify.Report{Sent: 6, Accepted: 5, Delivered: 3, Unanswered: 1, Dead: 1, Waiting: 1, Expired: 1, Crashes: 2, Duplicates: 1, InFlight: 16}
	if fmt.Sprint(r) != fmt.Sprint(want) || r.Err() != nil {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestReportListsTheFirstFaultsAndCountsAll(t *testing.T) {
	t.Parallel()
	h := verify.NewHistory()
	for i := range 100 {
		name := fmt.Sprint(i)
		h.Send(verify.Letter{Name: name})
		h.Accept(name, name)
	}
	r := h.Check()
	if r.Lost != 100 || len(r.Faults) >= 100 || r.Err() == nil || !strings.Contains(r.Err().Error(), "100 lost") {
		t.Errorf("got %d lost, %d listed, %v", r.Lost, len(r.Faults), r.Err())
	}
}

package transport_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/transport"
)

var someTime = time.Date(2026, 2, 3, 4, 5, 6, 789_000_000, time.UTC)

func checkLayout(t *testing.T, id transport.ID) {
	t.Helper()
	if version := id[6] >> 4; version != 7 {
		t.Errorf("%v: version %d", id, version)
	}
	if variant := id[8] >> 6; variant != 0b10 {
		t.Errorf("%v: variant %b", id, variant)
	}
	again, err := transport.ParseID(id.String())
	if err != nil || again != id {
		t.Errorf("%v became %v, %v", id, again, err)
	}
}

func TestIDLayout(t *testing.T) {
	t.Parallel()
	for range 1000 {
		checkLayout(t, transport.NewID(someTime))
		checkLayout(t, transport.NewSequentialID(someTime, 1))
	}
	checkLayout(t, transport.NewID(time.Time{}))
	checkLayout(t, transport.NewSequentialID(time.Unix(math.MaxInt32, 0), math.MaxUint64))
}

func TestIDExampleOfTheStandard(t *testing.T) {
	t.Parallel()
	// RFC 9562, appendix A.6: 2022-02-22 14:22:22 -05:00.
	id, err := transport.ParseID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2022, 2, 22, 19, 22, 22, 0, time.UTC); !id.Time().Equal(want) {
		t.Errorf("time %v, want %v", id.Time().UTC(), want)
	}
	if got, want := id.String(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"; got != want {
		t.Errorf("text %s, want %s", got, want)
	}
}

func TestIDsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[transport.ID]bool{}
	for range 10_000 {
		id := transport.NewID(someTime)
		if seen[id] || id.IsZero() {
			t.Fatalf("%v came twice", id)
		}
		seen[id] = true
	}
	if a, b := transport.NewSequentialID(someTime, 1), transport.NewSequentialID(someTime, 2); a == b {
		t.Errorf("two sequences give %v", a)
	}
}

func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	var ids []transport.ID
	for i := range 2000 {
		ids = append(ids, transport.NewID(someTime.Add(time.Duration(i)*time.Millisecond)))
	}
	if !slices.IsSortedFunc(ids, func(a, b transport.ID) int { return bytes.Compare(a[:], b[:]) }) {
		t.Error("the bytes are not sorted")
	}
	if !slices.IsSortedFunc(ids, func(a, b transport.ID) int { return strings.Compare(a.String(), b.String()) }) {
		t.Error("the texts are not sorted")
	}
}

func TestIDTime(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{time.UnixMilli(0), someTime, someTime.Add(999 * time.Microsecond), time.UnixMilli(1<<48 - 1)} {
		for _, id := range []transport.ID{transport.NewID(at), transport.NewSequentialID(at, math.MaxUint64)} {
			if want := at.Truncate(time.Millisecond); !id.Time().Equal(want) {
				t.Errorf("%v: got %v", want, id.Time())
			}
		}
	}
}

func TestIDSequence(t *testing.T) {
	t.Parallel()
	for _, seq := range []uint64{0, 1, 255, 1 << 32, 1<<62 - 1} {
		id := transport.NewSequentialID(someTime, seq)
		if got := id.Sequence(); got != seq {
			t.Errorf("%d came back as %d", seq, got)
		}
		again, err := transport.ParseID(id.String())
		if err != nil || again.Sequence() != seq {
			t.Errorf("%d came back from its text as %d, %v", seq, again.Sequence(), err)
		}
	}
	if got := transport.NewSequentialID(someTime, math.MaxUint64).Sequence(); got != 1<<62-1 {
		t.Errorf("more than 62 bits came back as %x", got)
	}
}

func TestParseIDRefuses(t *testing.T) {
	t.Parallel()
	const good = "0198c0de-5b1e-7abc-8def-0123456789ab"
	if _, err := transport.ParseID(good); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", "x", good[1:], good + "0", " " + good[1:], "{" + good + "}", "urn:uuid:" + good, strings.ReplaceAll(good, "-", ""),
		strings.ReplaceAll(good, "-", "_"), strings.Replace(good, "a", "g", 1), strings.Replace(good, "-", "0", 1),
		"0198c0de5b1e-7abc-8def-0123456789-ab", good[:35] + "\x00", "0198c0de-5b1e-7abc-8def-01234567é9",
	} {
		id, err := transport.ParseID(text)
		if !errors.Is(err, transport.ErrID) || !id.IsZero() {
			t.Errorf("%q: %v, %v", text, id, err)
		}
		kept := transport.NewID(someTime)
		before := kept
		if err := kept.UnmarshalText([]byte(text)); !errors.Is(err, transport.ErrID) || kept != before {
			t.Errorf("%q: UnmarshalText changed the id, or said %v", text, err)
		}
	}
}

func TestIDJSON(t *testing.T) {
	t.Parallel()
	type message struct {
		ID transport.ID `json:"id"`
	}
	sent := message{transport.NewID(someTime)}
	text, err := json.Marshal(sent)
	if want := `{"id":"` + sent.ID.String() + `"}`; err != nil || string(text) != want {
		t.Errorf("wrote %s, %v", text, err)
	}
	var got message
	if err := json.Unmarshal(text, &got); err != nil || got != sent {
		t.Errorf("read %v, %v", got, err)
	}
	asKey, err := json.Marshal(map[transport.ID]int{sent.ID: 1})
	if want := `{"` + sent.ID.String() + `":1}`; err != nil || string(asKey) != want {
		t.Errorf("as a key: %s, %v", asKey, err)
	}
}

func TestZeroID(t *testing.T) {
	t.Parallel()
	var id transport.ID
	if !id.IsZero() || id.String() != "00000000-0000-0000-0000-000000000000" {
		t.Errorf("got %v", id)
	}
	if got, err := transport.ParseID(id.String()); err != nil || !got.IsZero() {
		t.Errorf("its text is read as %v, %v", got, err)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("0198c0de-5b1e-7abc-8def-0123456789ab")
	f.Add("0198C0DE-5B1E-7ABC-8DEF-0123456789AB")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := transport.ParseID(text)
		if err != nil {
			if !errors.Is(err, transport.ErrID) {
				t.Error(err)
			}
			return
		}
		if id.String() != strings.ToLower(text) {
			t.Errorf("%q became %q", text, id)
		}
	})
}

func FuzzSequentialID(f *testing.F) {
	f.Add(int64(0), uint64(0))
	f.Add(int64(-1), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, ms int64, seq uint64) {
		id := transport.NewSequentialID(time.UnixMilli(ms), seq)
		checkLayout(t, id)
		if id.Sequence() != seq&^(3<<62) {
			t.Errorf("%x came back as %x", seq, id.Sequence())
		}
		if ms >= 0 && ms < 1<<48 && id.Time().UnixMilli() != ms {
			t.Errorf("%d came back as %d", ms, id.Time().UnixMilli())
		}
	})
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		transport.NewID(someTime)
	}
}

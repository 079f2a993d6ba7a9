package httpout

import (
	"errors"
	"io"
	"net/http"
	"slices"
)

// answer is what was read of a response's body.
type answer struct {
	start []byte // at most as much as was asked for
	read  int64
	whole bool // nothing is missing in start
	ended bool // it was read to its end
	note  string
}

// Notes on an answer whose body was not read to its end. The status line alone
// says whether the message was delivered.
const (
	noteBodyCut  = "response body cut short"
	noteBodyLong = "response body too long: the rest was not read"
)

// readAnswer keeps up to keep bytes of the body and drops the rest, so that the
// connection can be used again. It gives up after most bytes, and net/http then
// closes the connection.
func readAnswer(resp *http.Response, keep, most int) (a answer) {
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return a // what follows is no body and may never end
	case resp.ContentLength == 0:
		a.whole, a.ended = true, true
		return a
	}
	end := a.fill(resp.Body, keep, resp.ContentLength)
	a.whole = errors.Is(end, io.EOF)
	if end == nil {
		var dropped int64
		dropped, end = drop(resp.Body, most-len(a.start))
		a.whole = dropped == 0 && errors.Is(end, io.EOF)
		a.read += dropped
	}
	a.ended = errors.Is(end, io.EOF)
	switch {
	case end == nil:
		a.note = noteBodyLong
	case !errors.Is(end, io.EOF):
		a.note = noteBodyCut
	}
	return a
}

// fill reads the first keep bytes. Its error is nil when there may be more.
func (a *answer) fill(r io.Reader, keep int, length int64) error {
	size := min(keep, 512)
	if length >= 0 && length < int64(size) {
		size = int(length)
	}
	a.start = make([]byte, 0, size)
	for len(a.start) < keep {
		if len(a.start) == cap(a.start) {
			a.start = slices.Grow(a.start, min(max(size, len(a.start)), keep-len(a.start)))
		}
		n, err := r.Read(a.start[len(a.start):min(cap(a.start), keep)])
		a.start = a.start[:len(a.start)+n]
		a.read += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// drop reads up to most bytes, and one more to see whether that was the end. Its
// error is nil when there is more.
func drop(r io.Reader, most int) (dropped int64, err error) {
	scratch := make([]byte, 4<<10)
	for dropped <= int64(most) {
		n, err := r.Read(scratch[:min(len(scratch), most+1-int(dropped))])
		dropped += int64(n)
		if err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

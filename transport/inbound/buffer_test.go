package inbound_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/wireformat"
)

// hosted opens sessions by hand.
type hosted struct {
	inboundtest.Memory
	host inbound.Host
}

func (h *hosted) Start(ctx context.Context, host inbound.Host) error {
	h.host = host
	return h.Memory.Start(ctx, host)
}

func openSession(t *testing.T, options inbound.Options, session inbound.SessionOptions) func() *inbound.Session {
	t.Helper()
	a := start(t, ignore, options)
	h := &hosted{}
	send(t, a.Register(h))
	return func() *inbound.Session {
		o := origin()
		s, err := h.host.Open(&o, session)
		send(t, err)
		t.Cleanup(s.Close)
		return s
	}
}

// TestRead: what is read is what was sent, however it comes and whatever was
// announced.
func TestRead(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	open := openSession(t, inbound.Options{}, inbound.SessionOptions{MaxMessageBytes: limit})
	readers := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "end with data": iotest.DataErrReader, "bytes": iotest.OneByteReader,
	}
	for name, how := range readers {
		for _, n := range []int{0, 1, 511, 512, 513, 65535, 65536, 65537, limit - 1, limit, limit + 1} {
			for _, size := range []int64{-1, 0, int64(n), int64(n) / 2, 10} {
				body := bytes.Repeat([]byte("x"), n)
				got, err := open().Read(how(bytes.NewReader(body)), size)
				switch {
				case n > limit && !errors.Is(err, inbound.ErrTooLarge):
					t.Errorf("%s, %d bytes, said %d: %v, want ErrTooLarge", name, n, size, err)
				case n <= limit && (err != nil || !bytes.Equal(got, body)):
					t.Errorf("%s, %d bytes, said %d: %d bytes, %v", name, n, size, len(got), err)
				}
			}
		}
	}
	if _, err := open().Read(strings.NewReader("x"), limit+1); !errors.Is(err, inbound.ErrTooLarge) {
		t.Errorf("announced: %v, want ErrTooLarge", err)
	}
	broken := errors.New("broken")
	if _, err := open().Read(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken)), 10); !errors.Is(err, broken) {
		t.Errorf("%v, want the reader's error", err)
	}
}

// TestReadIsBounded over all sessions, until what was read is handled, or its
// session closes.
func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	open := openSession(t, inbound.Options{MaxBytes: 2048}, inbound.SessionOptions{})
	thousand := func() io.Reader { return strings.NewReader(strings.Repeat("x", 1000)) }
	first, second, third := open(), open(), open()
	body, err := first.Read(thousand(), 1000)
	send(t, err)
	_, err = second.Read(thousand(), 1000)
	send(t, err)
	if _, err := third.Read(thousand(), 1000); !errors.Is(err, inbound.ErrBusy) {
		t.Fatalf("a third: %v, want ErrBusy", err)
	}
	send(t, first.Receive(t.Context(), wireformat.Frame{Body: body}))
	_, err = third.Read(thousand(), 1000)
	send(t, err)
	if _, err := first.Read(thousand(), 1000); !errors.Is(err, inbound.ErrBusy) {
		t.Fatalf("again a third: %v, want ErrBusy", err)
	}
	second.Close()
	_, err = first.Read(thousand(), 1000)
	send(t, err)
}

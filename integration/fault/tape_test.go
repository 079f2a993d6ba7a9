//go:build unix

package fault

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
)

// step is a system call of a daemon that changes a disk, or answers a sender. It
// is on the tape when it began and when it ended: what lies between may have
// happened or not.
type step struct {
	call  string
	path  string // of the file, or of the name
	data  []byte
	at    int64 // offset, or size
	fresh bool  // an open that may make the file
	ended bool
}

// tapeReader makes steps of strace's lines.
type tapeReader struct {
	begun map[string]*step // by thread: calls that have not ended
	steps []step
}

// readTape reads what strace wrote. It stops at the first line that it does not
// understand and that is about a call it should: a tape with gaps proves nothing.
func readTape(from io.Reader) ([]step, error) {
	r := tapeReader{begun: map[string]*step{}}
	lines := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return r.steps, nil
		}
		if err == nil {
			err = r.line(strings.TrimSuffix(line, "\n"))
		}
		if err != nil {
			return nil, err
		}
	}
}

// line reads a line of strace -f -y -xx: a call, or its beginning or its end. All
// texts are in hexadecimal, so that they hold no signs that mean something.
func (r *tapeReader) line(line string) error {
	thread, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	if strings.HasPrefix(rest, "+++") || strings.HasPrefix(rest, "---") || strings.HasSuffix(rest, "= ?") {
		return nil
	}
	if begun, ok := strings.CutSuffix(rest, " <unfinished ...>"); ok {
		return r.begin(thread, begun)
	}
	at := strings.LastIndex(rest, "= ")
	if at < 0 {
		return fmt.Errorf("a line of strace that is not understood: %.200q", line)
	}
	if !strings.HasPrefix(rest, "<... ") {
		if err := r.begin(thread, strings.TrimSuffix(strings.TrimRight(rest[:at], " "), ")")); err != nil {
			return err
		}
	}
	return r.end(thread, rest[at+2:])
}

func (r *tapeReader) begin(thread, text string) error {
	call, args, ok := strings.Cut(text, "(")
	if !ok {
		return fmt.Errorf("a call that is not understood: %.200q", text)
	}
	s := step{call: call, at: -1, fresh: strings.Contains(args, "O_CREAT")}
	_, quoted, _ := strings.Cut(args, `"`)
	quoted, after, closed := strings.Cut(quoted, `"`)
	if strings.HasPrefix(after, "...") {
		return fmt.Errorf("%s was cut short by strace: %.100q", call, args)
	}
	switch call {
	case "open", "openat", "mkdir", "mkdirat", "unlink", "unlinkat":
		s.path = unhex(quoted)
	case "write", "pwrite64":
		s.path, s.data = pathOf(args), []byte(unhex(quoted))
	case "ftruncate", "fsync", "fdatasync":
		s.path, closed = pathOf(args), true
	case "fallocate":
		if s.path, closed = pathOf(args), true; !strings.HasSuffix(s.path, "/queue.reserve") { // whose content says nothing
			return fmt.Errorf("fallocate of %s is not expected", s.path)
		}
	default:
		return fmt.Errorf("%s is not expected: %.200q", call, args)
	}
	if !closed {
		return fmt.Errorf("%s without a name or data: %.200q", call, args)
	}
	if call == "pwrite64" || call == "ftruncate" {
		var err error
		if s.at, err = strconv.ParseInt(args[strings.LastIndex(args, ", ")+2:], 10, 64); err != nil {
			return fmt.Errorf("%s: %w", call, err)
		}
	}
	r.steps = append(r.steps, s)
	r.begun[thread] = &s
	return nil
}

// pathOf returns the path of the file that a call's first argument names.
func pathOf(args string) string {
	_, name, _ := strings.Cut(args, "<")
	name, _, _ = strings.Cut(name, ">")
	return unhex(name)
}

// end adds the end of a call that was successful.
func (r *tapeReader) end(thread, result string) error {
	s := r.begun[thread]
	delete(r.begun, thread)
	if s == nil {
		return fmt.Errorf("thread %s ends a call that it has not begun", thread)
	}
	if strings.HasPrefix(result, "-") {
		return nil
	}
	if s.call == "pwrite64" && result != strconv.Itoa(len(s.data)) {
		return fmt.Errorf("%s wrote %s of %d bytes", s.call, result, len(s.data))
	}
	s.ended = true
	r.steps = append(r.steps, *s)
	return nil
}

func unhex(text string) string {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, `\x`, ""))
	if err != nil {
		return text
	}
	return string(raw)
}

func TestReadTape(t *testing.T) {
	t.Parallel()
	const tape = `7 openat(AT_FDCWD<\x2f>, "\x2f\x61", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 5<\x2f\x61>
7 pwrite64(5<\x2f\x61>, "\x01\x02", 2, 512 <unfinished ...>
8 fsync(5<\x2f\x61>) = 0
7 <... pwrite64 resumed>)                = 2
7 ftruncate(5<\x2f\x61>, 100)            = 0
9 unlink("\x2f\x61")                     = -1 ENOENT (No such file or directory)
9 +++ exited with 0 +++
`
	steps, err := readTape(strings.NewReader(tape))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps {
		got = append(got, fmt.Sprintf("%s %s %x %d %v", s.call, s.path, s.data, s.at, s.ended))
	}
	want := []string{
		"openat /a  -1 false", "openat /a  -1 true", "pwrite64 /a 0102 512 false", "fsync /a  -1 false", "fsync /a  -1 true",
		"pwrite64 /a 0102 512 true", "ftruncate /a  100 false", "ftruncate /a  100 true", "unlink /a  -1 false",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	for _, bad := range []string{"7 pwrite64(5<\\x2f>, \"\\x01\"..., 2, 0) = 2\n", "7 sendfile(1) = 2\n", "what\n", "7 <... fsync resumed>) = 0\n"} {
		if _, err := readTape(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

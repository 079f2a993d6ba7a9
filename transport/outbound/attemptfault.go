package outbound

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/outrider-go/outrider/transport"
)

// What is kept of an attempt, in bytes, whatever the transport says of it.
const (
	maxCode     = 256
	maxText     = 4 << 10 // of an error, or a note
	maxResponse = 64 << 10
)

// attemptFault is an attempt that did not deliver, as its error tells it.
type attemptFault struct {
	facts DeliveryError
	err   error  // as it was given, for whoever asked for the attempt
	text  string // of err
	stack []byte // of a panic
}

// What a transport must not do.
var (
	errNilFault = errors.New("the transport returned a nil *DeliveryError as its error: it must return nil")
	errExited   = errors.New("the transport ended its goroutine (runtime.Goexit, which testing.T.FailNow calls)")
)

// faultOf reads the error of an attempt, whatever its type. It is to be called
// where a panic does no harm: the error may be the transport's, with methods of its
// own.
func faultOf(err error) *attemptFault {
	fault, ok := errors.AsType[*DeliveryError](err)
	switch {
	case !ok:
		fault = &DeliveryError{MaybeSent: true, Err: err}
	case fault == nil:
		fault = &DeliveryError{Op: "attempt", MaybeSent: true, Err: errNilFault}
		err = fault
	}
	f := &attemptFault{facts: *fault, err: err, text: err.Error()}
	if f.facts.Class == "" || f.facts.Class == transport.Success {
		f.facts.Class = transport.Temporary
	}
	return f
}

// panicked is the fault of an attempt that panicked with a value, which may hold
// anything and is not told.
func panicked(endpoint transport.Endpoint, value any) *attemptFault {
	f := faultOf(&DeliveryError{
		Op: "attempt", Endpoint: endpoint, MaybeSent: true,
		Err: fmt.Errorf("the transport, or what it needs, panicked with a %T", value),
	})
	f.stack = debug.Stack()
	return f
}

// clip returns the start of a text that is longer than most bytes.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const mark = "…"
	return strings.ToValidUTF8(text[:most-len(mark)], "") + mark
}

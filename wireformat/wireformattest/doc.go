// Package wireformattest is the conformance suite of wire formats. Whoever
// writes a format, or a decorator of one, runs it in a test:
//
//	func TestConformance(t *testing.T) {
//		wireformattest.Run(t, func(*testing.T) wireformat.Format { return myformat.New() },
//			wireformattest.Features{})
//	}
//
// It checks what the rest of Outrider relies on: that what was encoded parses
// back to the same payload, that the same input gives the same frame, that a
// format may be used by many goroutines, that it neither changes nor keeps what
// it is given, that no input makes it panic, and that its errors have the right
// kind, name the format and never repeat a payload.
package wireformattest

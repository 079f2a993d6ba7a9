package wireformat

import "slices"

// Decorator wraps a format: compression, signing, statistics. The result has a
// method
//
//	Unwrap() Format
//
// that returns the wrapped format, by which [As] finds the optional interfaces
// the result does not implement itself. A decorator that changes the bytes must
// implement those that read them, [Recipienter] and [Sniffer]; one that is a
// [Stamper] calls the wrapped format's, where there is one.
type Decorator func(Format) Format

// Decorate applies decorators, the first one outermost.
func Decorate(f Format, decorators ...Decorator) Format {
	for _, decorator := range slices.Backward(decorators) {
		f = decorator(f)
	}
	return f
}

// As returns the outermost format that implements T, one of the optional
// interfaces: f itself, or one that f wraps.
func As[T any](f Format) (T, bool) {
	for f != nil {
		if found, ok := f.(T); ok {
			return found, true
		}
		wrapper, ok := f.(interface{ Unwrap() Format })
		if !ok {
			break
		}
		f = wrapper.Unwrap()
	}
	var none T
	return none, false
}

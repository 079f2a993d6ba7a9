package serializer

import (
	"encoding/binary"
	"errors"
)

// scanCBOR counts the values of well-formed CBOR and how deep they nest, and
// looks for integers that are too long, so that the library is never given more
// than it may make. Whether the rest is well-formed is the library's to say.
func scanCBOR(b []byte, limits Limits) error {
	s := cborScan{b: b, limits: limits, left: limits.MaxValues}
	if err := s.value(0); err != nil {
		return err
	}
	if len(s.b) > 0 {
		return errTrailing
	}
	return nil
}

type cborScan struct {
	b      []byte
	limits Limits
	left   int
}

const (
	cborUnsigned = 0
	cborNegative = 1
	cborBytes    = 2
	cborText     = 3
	cborArray    = 4
	cborMap      = 5
	cborTag      = 6
	cborOther    = 7

	cborIndefinite = 31
	cborBreak      = 0xff
)

// head reads the head of a data item: RFC 8949 section 3.
func (s *cborScan) head() (major, info byte, argument uint64, err error) {
	if len(s.b) == 0 {
		return 0, 0, 0, errCut
	}
	major, info = s.b[0]>>5, s.b[0]&31
	s.b = s.b[1:]
	switch {
	case info < 24:
		return major, info, uint64(info), nil
	case info < 28:
		size := 1 << (info - 24)
		if len(s.b) < size {
			return 0, 0, 0, errCut
		}
		var padded [8]byte
		copy(padded[8-size:], s.b[:size])
		s.b = s.b[size:]
		return major, info, binary.BigEndian.Uint64(padded[:]), nil
	case info == cborIndefinite && major != cborTag && major > 1:
		return major, info, 0, nil
	}
	return 0, 0, 0, errCBOR
}

func (s *cborScan) value(depth int) error {
	if s.left--; s.left < 0 {
		return errMany(s.limits.MaxValues)
	}
	if len(s.b) > 0 && s.b[0] == cborBreak {
		return errCBOR
	}
	major, info, argument, err := s.head()
	if err != nil || major < cborBytes || major == cborOther {
		return err
	}
	if (major >= cborArray || info == cborIndefinite) && depth >= s.limits.MaxDepth {
		return errDeep(s.limits.MaxDepth)
	}
	switch {
	case info == cborIndefinite:
		return s.indefinite(major, depth+1)
	case major == cborTag:
		return s.tagged(argument, depth+1)
	case major == cborArray:
		return s.values(argument, depth+1)
	case major == cborMap:
		if argument > uint64(len(s.b)) {
			return errCut
		}
		return s.values(2*argument, depth+1)
	}
	return s.skip(argument)
}

func (s *cborScan) values(n uint64, depth int) error {
	if n > uint64(len(s.b)) {
		return errCut
	}
	for range n {
		if err := s.value(depth); err != nil {
			return err
		}
	}
	return nil
}

func (s *cborScan) tagged(tag uint64, depth int) error {
	switch {
	case (tag == 2 || tag == 3) && s.isLongInteger():
		return errLongInteger
	case tag == 1 && s.isNoInstant():
		return errInstant
	}
	return s.value(depth)
}

// indefinite reads items until the break. A part of a string counts as a value.
func (s *cborScan) indefinite(major byte, depth int) error {
	for {
		if len(s.b) > 0 && s.b[0] == cborBreak {
			s.b = s.b[1:]
			return nil
		}
		if err := s.value(depth); err != nil {
			return err
		}
		if major == cborMap {
			if err := s.value(depth); err != nil {
				return err
			}
		}
	}
}

func (s *cborScan) skip(length uint64) error {
	if length > uint64(len(s.b)) {
		return errCut
	}
	s.b = s.b[length:]
	return nil
}

// isLongInteger reports a byte string longer than a *big.Int of the model.
func (s *cborScan) isLongInteger() bool {
	ahead := *s
	major, info, length, err := ahead.head()
	return err == nil && major == cborBytes && (info == cborIndefinite || length > maxBits/8)
}

var errInstant = errors.New("a time is no instant from the year 0 to 9999")

// isNoInstant reports a float without a finite value, of which the library would
// make the year 1.
func (s *cborScan) isNoInstant() bool {
	ahead := *s
	major, info, bits, err := ahead.head()
	if err != nil || major != cborOther {
		return false
	}
	switch info {
	case 25:
		return bits>>10&31 == 31
	case 26:
		return bits>>23&255 == 255
	case 27:
		return bits>>52&2047 == 2047
	}
	return false
}

package serializer

import "errors"

// header is what stands at the start of an optimised container: the type of its
// values, its size, or both.
type header struct {
	marker byte // 0: each value has its own
	count  int  // -1: the container ends with a bracket
	shape  []int
}

func (r *ubjsonReader) header(array bool) (h header, err error) {
	h.count = -1
	r.skipNoOps()
	if len(r.b) > 0 && r.b[0] == '$' {
		if len(r.b) < 2 {
			return h, errCut
		}
		h.marker, r.b = r.b[1], r.b[2:]
		if !r.isContent(h.marker) {
			return h, errors.New("a container has values of a type that it cannot have")
		}
		r.skipNoOps()
		if len(r.b) == 0 {
			return h, errCut
		}
		if r.b[0] != '#' {
			return h, errors.New("a container has a type and no size")
		}
	}
	if len(r.b) == 0 || r.b[0] != '#' {
		return h, nil
	}
	r.b = r.b[1:]
	if array && r.bjdata && len(r.b) > 0 && r.b[0] == '[' {
		r.b = r.b[1:]
		h.shape, h.count, err = r.dimensions()
	} else {
		h.count, err = r.length()
	}
	if err != nil {
		return h, err
	}
	return h, r.fits(h)
}

// isContent reports whether containers may have values of that type without each
// saying so.
func (r *ubjsonReader) isContent(marker byte) bool {
	size := r.sizeOf(marker)
	if r.bjdata {
		return size > 0
	}
	return size >= 0 || marker == 'S' || marker == 'H' || marker == '[' || marker == '{'
}

// fits checks a size against what can be there at most. Values without bytes of
// their own count against MaxValues alone.
func (r *ubjsonReader) fits(h header) error {
	if h.count > 0 && h.marker != 'U' && h.marker != 'B' && h.count > r.left.values {
		return errMany(r.limits.MaxValues)
	}
	size := max(r.sizeOf(h.marker), 1)
	if h.marker == 'Z' || h.marker == 'T' || h.marker == 'F' {
		size = 0
	}
	if h.count > 0 && h.count*size > len(r.b) {
		return errCut
	}
	return nil
}

// dimensions reads the sizes of an array with several dimensions: BJData.
func (r *ubjsonReader) dimensions() (shape []int, count int, err error) {
	v, err := r.array()
	if err != nil {
		return nil, 0, err
	}
	if sizes, ok := v.([]byte); ok {
		for _, size := range sizes {
			shape = append(shape, int(size))
		}
	} else {
		for _, v := range v.([]any) { //nolint:forcetypeassert // an array is one of the two
			size, ok := v.(int64)
			if !ok || size < 0 || size > int64(r.limits.MaxBytes) {
				return nil, 0, errors.New("an array has a dimension that is no size")
			}
			shape = append(shape, int(size))
		}
	}
	if len(shape) == 0 || len(shape) > r.left.depth {
		return nil, 0, errDeep(r.limits.MaxDepth)
	}
	count = 1
	for _, size := range shape {
		if size == 0 {
			return nil, 0, errors.New("an array has a dimension of size 0")
		}
		if size > r.limits.MaxBytes/count { // the product may be more than an int holds
			return nil, 0, errCut
		}
		count *= size
	}
	return shape, count, nil
}

func (r *ubjsonReader) enter() error {
	if r.left.depth--; r.left.depth < 0 {
		return errDeep(r.limits.MaxDepth)
	}
	return nil
}

func (r *ubjsonReader) array() (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer func() { r.left.depth++ }()
	h, err := r.header(true)
	if err != nil {
		return nil, err
	}
	if (h.marker == 'U' || h.marker == 'B') && len(h.shape) < 2 {
		b, err := r.take(h.count)
		return append([]byte{}, b...), err
	}
	values := make([]any, 0, min(max(h.count, 0), 128))
	for h.count < 0 || len(values) < h.count {
		marker := h.marker
		if marker == 0 {
			if marker, err = r.marker(); err != nil {
				return nil, err
			}
			if marker == ']' && h.count < 0 {
				return values, nil
			}
		}
		v, err := r.value(marker)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	if len(h.shape) > 1 {
		return r.reshape(values, h.shape)
	}
	return values, nil
}

// reshape makes arrays of arrays, row after row.
func (r *ubjsonReader) reshape(values []any, shape []int) (any, error) {
	if len(shape) == 1 {
		return values, nil
	}
	rows := make([]any, 0, shape[0])
	size := len(values) / shape[0]
	for at := 0; at < len(values); at += size {
		if r.left.values--; r.left.values < 0 {
			return nil, errMany(r.limits.MaxValues)
		}
		row, err := r.reshape(values[at:at+size:at+size], shape[1:])
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (r *ubjsonReader) object() (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer func() { r.left.depth++ }()
	h, err := r.header(false)
	if err != nil {
		return nil, err
	}
	values := make(map[string]any, min(max(h.count, 0), 128))
	for h.count < 0 || len(values) < h.count {
		r.skipNoOps()
		if h.count < 0 && len(r.b) > 0 && r.b[0] == '}' {
			r.b = r.b[1:]
			return values, nil
		}
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if _, twice := values[name]; twice {
			return nil, errTwice
		}
		marker := h.marker
		if marker == 0 {
			if marker, err = r.marker(); err != nil {
				return nil, err
			}
		}
		r.left.values--
		if values[name], err = r.value(marker); err != nil {
			return nil, err
		}
	}
	return values, nil
}

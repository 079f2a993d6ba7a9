package value

import (
	"fmt"
	"slices"
)

// Rule says what becomes of a key, or of an element, of a type that the
// specification does not allow where it stands.
type Rule bool

const (
	// Strict refuses it.
	Strict Rule = false
	// Lenient keeps it, for peers that want it so.
	Lenient Rule = true
)

// Dict is a map with keys of certain types. A [String] as a key becomes a
// [Symbol]. Keep one in one goroutine, as a Go map.
type Dict struct {
	kind  string
	keys  []Type
	rule  Rule
	pairs Map
}

// NewPropertyDict returns a map whose keys are symbols: the properties of a
// connection, a session or a link (type "fields", part 2, section 2.8.7), and
// the filters of a source.
func NewPropertyDict(rule Rule, pairs ...Pair) (*Dict, error) {
	return newDict(&Dict{kind: "a property", keys: []Type{TypeSymbol}, rule: rule}, pairs)
}

// NewAnnotationDict returns a map whose keys are symbols or ulongs: delivery
// annotations, message annotations and the footer (part 3, section 3.2.10). The
// specification reserves ulongs.
func NewAnnotationDict(rule Rule, pairs ...Pair) (*Dict, error) {
	return newDict(&Dict{kind: "an annotation", keys: []Type{TypeSymbol, TypeULong}, rule: rule}, pairs)
}

func newDict(d *Dict, pairs []Pair) (*Dict, error) {
	for _, pair := range pairs {
		if err := d.Set(pair.Key, pair.Value); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// key returns the key as it goes into the map.
func (d *Dict) key(key Value) (Value, error) {
	if text, ok := key.(String); ok {
		key = Symbol(text)
	}
	if t := TypeOf(key); d.rule == Strict && !slices.Contains(d.keys, t) {
		return nil, fmt.Errorf("%w: the key of %s is a %s: want one of %v", ErrInvalid, d.kind, t, d.keys)
	}
	if _, err := Encode(key); err != nil {
		return nil, fmt.Errorf("the key of %s: %w", d.kind, err)
	}
	return key, nil
}

// Set adds an entry, or replaces the one under the same key.
func (d *Dict) Set(key, v Value) error {
	key, err := d.key(key)
	if err != nil {
		return err
	}
	if i := d.index(key); i >= 0 {
		d.pairs[i].Value = v
	} else {
		d.pairs = append(d.pairs, Pair{key, v})
	}
	return nil
}

// Get returns the value under a key, and whether there is one.
func (d *Dict) Get(key Value) (Value, bool) {
	if key, err := d.key(key); err == nil {
		return d.pairs.Get(key)
	}
	return nil, false
}

// Delete removes an entry, and reports whether there was one.
func (d *Dict) Delete(key Value) bool {
	key, err := d.key(key)
	if err != nil {
		return false
	}
	i := d.index(key)
	if i >= 0 {
		d.pairs = slices.Delete(d.pairs, i, i+1)
	}
	return i >= 0
}

func (d *Dict) index(key Value) int {
	return slices.IndexFunc(d.pairs, func(pair Pair) bool { return Equal(pair.Key, key) })
}

// Len returns how many entries there are.
func (d *Dict) Len() int { return len(d.pairs) }

// Map returns a copy of the entries, in the order in which they were added.
func (d *Dict) Map() Map { return slices.Clone(d.pairs) }

// SymbolList returns a list of symbols, as capabilities are. A [String] becomes
// a [Symbol].
func SymbolList(rule Rule, values ...Value) (List, error) {
	list := make(List, len(values))
	for i, v := range values {
		if text, ok := v.(String); ok {
			v = Symbol(text)
		}
		if t := TypeOf(v); rule == Strict && t != TypeSymbol {
			return nil, fmt.Errorf("%w: element %d of a list of symbols is a %s", ErrInvalid, i, t)
		}
		if symbol, ok := v.(Symbol); ok && !isASCII(symbol) {
			return nil, fmt.Errorf("%w: element %d of a list of symbols is not ASCII", ErrInvalid, i)
		}
		list[i] = v
	}
	return list, nil
}

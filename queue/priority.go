package queue

import "fmt"

// Priority orders the due messages of a lane. It does not order lanes.
type Priority int8

// The priorities.
const (
	PriorityLow    Priority = -1
	PriorityNormal Priority = 0
	PriorityHigh   Priority = 1
)

var priorityNames = [...]string{"low", "normal", "high"} // of Priority + 1

// Valid reports whether it is one of the three.
func (p Priority) Valid() bool { return p >= PriorityLow && p <= PriorityHigh }

// String returns "low", "normal" or "high".
func (p Priority) String() string {
	if p.Valid() {
		return priorityNames[p+1]
	}
	return fmt.Sprintf("priority(%d)", int8(p))
}

// MarshalText returns what String returns.
func (p Priority) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String returns.
func (p *Priority) UnmarshalText(text []byte) error {
	for i, name := range priorityNames {
		if name == string(text) {
			*p = Priority(i - 1)
			return nil
		}
	}
	return fmt.Errorf("unknown priority %q: want low, normal or high", text)
}

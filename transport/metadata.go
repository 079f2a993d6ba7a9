package transport

import (
	"fmt"
	"maps"
)

// Limits of a message's metadata.
const (
	MaxMetadataEntries = 64       // entries in one message
	MaxMetadataBytes   = 16 << 10 // bytes of all names and values together
)

// Metadata travels beside a payload: HTTP headers, AMQP application properties,
// WebSocket handshake headers. A transport copies it for each attempt and never
// changes it.
type Metadata map[string]string

// Clone returns a copy, nil for nil.
func (m Metadata) Clone() Metadata { return maps.Clone(m) }

// Validate refuses empty names, control characters, and more than the limits.
// The error names the entry, and never a value: values may be secrets.
func (m Metadata) Validate() error {
	if len(m) == 0 {
		return nil
	}
	if len(m) > MaxMetadataEntries {
		return fmt.Errorf("metadata has %d entries: at most %d are allowed", len(m), MaxMetadataEntries)
	}
	total := 0
	for name, value := range m {
		total += len(name) + len(value)
	}
	if total > MaxMetadataBytes {
		return fmt.Errorf("metadata has %d bytes: at most %d are allowed", total, MaxMetadataBytes)
	}
	for name, value := range m {
		if name == "" {
			return fmt.Errorf("metadata has an entry without a name")
		}
		if hasControl(name) {
			return fmt.Errorf("metadata name %q has a control character", name)
		}
		if hasControl(value) {
			return fmt.Errorf("metadata[%q]: the value has a control character", name)
		}
	}
	return nil
}

// hasControl reports a control character other than the tab, or a DEL.
func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

package cloudevents

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrEvent is returned for what is no valid event.
var ErrEvent = errors.New("not a valid event of CloudEvents 1.0")

// SpecVersion is the version of CloudEvents.
const SpecVersion = "1.0"

// Limits of an event.
const (
	maxAttributes = 64 // in one event
	maxName       = 64 // characters of an attribute's name
)

// Event is one event. The first three attributes are required.
type Event struct {
	ID     string
	Source string // URI reference
	Type   string
	// Optional attributes are empty, or the zero time, where they are missing.
	Subject         string
	Time            time.Time
	DataSchema      string // absolute URI
	DataContentType string
	// Extensions by name: string, bool or int32.
	Extensions map[string]any
	// Data is nil where the event has none. Where the content type is JSON, or
	// missing, it is JSON text, unless Binary says otherwise.
	Data []byte
	// Binary says that the data is bytes, and not text or JSON.
	Binary bool
}

// IsJSON reports whether the data's content type is JSON, as it is where none is
// given (JSON format, section 3.1).
func (e *Event) IsJSON() bool {
	return e.DataContentType == "" || isJSONType(e.DataContentType)
}

func isJSONType(contentType string) bool {
	base, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	base = strings.TrimSpace(base)
	return base == "application/json" || base == "text/json" || strings.HasSuffix(base, "+json")
}

// Validate returns an error that wraps [ErrEvent] and names the first attribute
// that is wrong.
func (e *Event) Validate() error {
	for _, required := range []struct{ name, value string }{{"id", e.ID}, {"source", e.Source}, {"type", e.Type}} {
		if required.value == "" {
			return fmt.Errorf("%w: %s is missing", ErrEvent, required.name)
		}
	}
	if len(e.Extensions) > maxAttributes {
		return fmt.Errorf("%w: it has %d extensions, and at most %d are allowed", ErrEvent, len(e.Extensions), maxAttributes)
	}
	for name, text := range e.attributes {
		if !isName(name) {
			return fmt.Errorf("%w: the name of an attribute has other characters than a-z and 0-9, or more than %d", ErrEvent, maxName)
		}
		if !isString(text) {
			return fmt.Errorf("%w: %s has a control character, or is not Unicode", ErrEvent, name)
		}
	}
	if _, err := url.Parse(e.Source); err != nil {
		return fmt.Errorf("%w: source is no URI reference", ErrEvent)
	}
	if e.DataSchema != "" {
		if schema, err := url.Parse(e.DataSchema); err != nil || !schema.IsAbs() {
			return fmt.Errorf("%w: dataschema is no absolute URI", ErrEvent)
		}
	}
	if e.DataContentType != "" {
		if kind, _, err := mime.ParseMediaType(e.DataContentType); err != nil || !strings.Contains(kind, "/") {
			return fmt.Errorf("%w: datacontenttype is no media type", ErrEvent)
		}
	}
	return e.validateExtensions()
}

func (e *Event) validateExtensions() error {
	for name, value := range e.Extensions {
		if isContext(name) {
			return fmt.Errorf("%w: %s is no extension: it has a field", ErrEvent, name)
		}
		switch value.(type) {
		case string, bool, int32:
		default:
			return fmt.Errorf("%w: extension %s is a %T: want string, bool or int32", ErrEvent, name, value)
		}
	}
	return nil
}

// isContext reports the names that the specification defines, and "data".
func isContext(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "subject", "time", "dataschema", "datacontenttype", "data":
		return true
	}
	return false
}

// attributes calls yield with each attribute that is set and its canonical text,
// the required ones first, extensions by name, datacontenttype last.
func (e *Event) attributes(yield func(name, text string) bool) {
	var at string
	if !e.Time.IsZero() {
		at = e.Time.Format(time.RFC3339Nano)
	}
	for _, each := range []struct{ name, text string }{
		{"specversion", SpecVersion}, {"id", e.ID}, {"source", e.Source}, {"type", e.Type},
		{"subject", e.Subject}, {"time", at}, {"dataschema", e.DataSchema},
	} {
		if each.text != "" && !yield(each.name, each.text) {
			return
		}
	}
	for _, name := range e.extensionNames() {
		if !yield(name, canonical(e.Extensions[name])) {
			return
		}
	}
	if e.DataContentType != "" {
		yield("datacontenttype", e.DataContentType)
	}
}

func (e *Event) extensionNames() []string {
	return slices.Sorted(maps.Keys(e.Extensions))
}

// canonical returns a value's text (CloudEvents, section 3.1, type system).
func canonical(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int32:
		return strconv.FormatInt(int64(v), 10)
	}
	return ""
}

// set sets an attribute from its canonical text.
func (e *Event) set(name, text string) error {
	switch name {
	case "id":
		e.ID = text
	case "source":
		e.Source = text
	case "type":
		e.Type = text
	case "subject":
		e.Subject = text
	case "dataschema":
		e.DataSchema = text
	case "datacontenttype":
		e.DataContentType = text
	case "specversion":
		if text != SpecVersion {
			return fmt.Errorf("%w: specversion is not %s", ErrEvent, SpecVersion)
		}
	case "time":
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return fmt.Errorf("%w: time is not of RFC 3339", ErrEvent)
		}
		e.Time = at
	case "data":
		return fmt.Errorf("%w: %s is no attribute", ErrEvent, name)
	default:
		return e.extend(name, text)
	}
	return nil
}

func (e *Event) extend(name string, value any) error {
	if !isName(name) {
		return fmt.Errorf("%w: the name of an attribute has other characters than a-z and 0-9, or more than %d", ErrEvent, maxName)
	}
	if e.Extensions == nil {
		e.Extensions = map[string]any{}
	}
	if len(e.Extensions) == maxAttributes {
		return fmt.Errorf("%w: it has more than %d extensions", ErrEvent, maxAttributes)
	}
	e.Extensions[name] = value
	return nil
}

// isName reports the name of an attribute (CloudEvents, section 3.1).
func isName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= maxName
}

// isString reports text of the type String: no control characters, no
// noncharacters (CloudEvents, section 3.1).
func isString(text string) bool {
	for _, r := range text {
		if r < 0x20 || r >= 0x7f && r <= 0x9f || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return false
		}
	}
	return utf8.ValidString(text)
}

// toInt32 reports a number that is an Integer of CloudEvents.
func toInt32(n int64) (int32, bool) {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return 0, false
	}
	return int32(n), true
}

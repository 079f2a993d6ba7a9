package wireformat

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Registry knows formats by name and by media type. Make it with [NewRegistry].
//
// Everything may be called by many goroutines at once. Looking up takes no lock
// and allocates nothing: a change makes a new table and puts it in place whole,
// so that a lookup sees all of it or nothing of it.
type Registry struct {
	changing sync.Mutex // held by who makes the next table
	table    atomic.Pointer[table]
}

// table is what the registry knew at one instant. It never changes.
type table struct {
	entries     []entry // in the order of registration
	byName      map[string]*entry
	byMediaType map[string]Format
}

type entry struct {
	name       string
	mediaTypes []string
	format     Format
	sniffer    Sniffer // nil when the format is none
	stamper    Stamper // the same
}

// NewRegistry returns a registry of the formats given; [Builtin] are those of
// this package. Errors are those of [Registry.Register].
func NewRegistry(formats ...Format) (*Registry, error) {
	entries := make([]entry, 0, len(formats))
	for _, f := range formats {
		added, err := newEntry(f)
		if err != nil {
			return nil, err
		}
		entries = append(entries, added)
	}
	t, err := newTable(entries)
	if err != nil {
		return nil, err
	}
	r := &Registry{}
	r.table.Store(t)
	return r, nil
}

// Builtin returns the formats of this package, [Raw] and [JSON], with their
// default options.
func Builtin() []Format { return []Format{&Raw{}, &JSON{}} }

// Register adds a format under its name and all of its media types, or not at
// all. A name is lower-case letters, digits and "./_+-", and starts with a
// letter or digit. An error wraps [ErrDuplicate] where the name or a media type
// has an owner, and names it.
func (r *Registry) Register(f Format) error {
	added, err := newEntry(f)
	if err != nil {
		return err
	}
	return r.change(func(entries []entry) ([]entry, error) {
		return append(entries, added), nil
	})
}

// Replace puts f in the place of the format with its name. Errors are those of
// [Registry.Register], and [ErrUnknown] where no format has the name.
func (r *Registry) Replace(f Format) error {
	replacement, err := newEntry(f)
	if err != nil {
		return err
	}
	return r.change(func(entries []entry) ([]entry, error) {
		i := indexOf(entries, replacement.name)
		if i < 0 {
			return nil, unknownName(entries, replacement.name)
		}
		entries[i] = replacement
		return entries, nil
	})
}

// Unregister removes the format of that name. The error wraps [ErrUnknown]
// where there is none.
func (r *Registry) Unregister(name string) error {
	return r.change(func(entries []entry) ([]entry, error) {
		i := indexOf(entries, name)
		if i < 0 {
			return nil, unknownName(entries, name)
		}
		return slices.Delete(entries, i, i+1), nil
	})
}

// change makes the next table from edit's entries. edit owns the slice it gets.
func (r *Registry) change(edit func([]entry) ([]entry, error)) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	entries, err := edit(slices.Clone(r.table.Load().entries))
	if err != nil {
		return err
	}
	next, err := newTable(entries)
	if err != nil {
		return err
	}
	r.table.Store(next)
	return nil
}

// ByName returns the format of that name. The error wraps [ErrUnknown] and
// lists the names there are.
func (r *Registry) ByName(name string) (Format, error) {
	t := r.table.Load()
	if e, ok := t.byName[name]; ok {
		return e.format, nil
	}
	return nil, unknownName(t.entries, name)
}

// Stamper is [As] for the format of that name: nil where the format is no
// [Stamper]. Errors are those of [Registry.ByName].
func (r *Registry) Stamper(name string) (Stamper, error) {
	t := r.table.Load()
	if e, ok := t.byName[name]; ok {
		return e.stamper, nil
	}
	return nil, unknownName(t.entries, name)
}

// ByMediaType returns the format that reads a media type. Parameters and case do
// not count, and "application/" may be missing. The error wraps [ErrUnknown] and
// lists the media types there are.
func (r *Registry) ByMediaType(mediaType string) (Format, error) {
	t := r.table.Load()
	var buffer [maxMediaType]byte
	if f, ok := t.byMediaType[string(canonicalMediaType(&buffer, mediaType))]; ok {
		return f, nil
	}
	return nil, t.unknownMediaType(mediaType)
}

// ForFrame returns the format to parse a frame with. A content type that names a
// format decides. Where it is missing or says little (application/json,
// application/octet-stream, text/plain), the formats that are a [Sniffer] are
// asked in the order of their registration, then the media type decides, then it
// is the format called "raw". Where it is nobody's, those that have no media type
// of their own are asked. The error wraps [ErrUnknown]: a content type that nobody
// reads is not passed off as raw.
func (r *Registry) ForFrame(f Frame) (Format, error) {
	t := r.table.Load()
	var buffer [maxMediaType]byte
	canonical := canonicalMediaType(&buffer, f.ContentType)
	generic := bareMediaType(f.ContentType) == "" || isGeneric(canonical)
	found, known := t.byMediaType[string(canonical)]
	for i := range t.entries {
		e := &t.entries[i]
		asked := generic || !known && len(e.mediaTypes) == 0
		if asked && e.sniffer != nil && e.sniffer.Sniff(f) {
			return e.format, nil
		}
	}
	if known {
		return found, nil
	}
	if raw, ok := t.byName[rawName]; ok && generic {
		return raw.format, nil
	}
	return nil, t.unknownMediaType(f.ContentType)
}

// Names returns the names of the formats in the order of their registration.
func (r *Registry) Names() []string { return namesOf(r.table.Load().entries) }

// newEntry asks the format once for what it is called and what it reads.
func newEntry(f Format) (entry, error) {
	if f == nil {
		return entry{}, errors.New("register wire format: the format is nil")
	}
	e := entry{name: f.Name(), format: f}
	if !isName(e.name) {
		return entry{}, fmt.Errorf("register wire format %q: want a name of lower-case letters, digits and \"./_+-\" that starts with a letter or digit", e.name)
	}
	for _, mediaType := range f.MediaTypes() {
		lower := strings.ToLower(mediaType)
		if !isMediaType(lower) {
			return entry{}, fmt.Errorf("register wire format %q: %q is not a media type: want type/subtype without parameters", e.name, mediaType)
		}
		e.mediaTypes = append(e.mediaTypes, lower)
	}
	e.sniffer, _ = As[Sniffer](f)
	e.stamper, _ = As[Stamper](f)
	if len(e.mediaTypes) == 0 && e.sniffer == nil {
		return entry{}, fmt.Errorf("register wire format %q: it has no media type, and is no Sniffer", e.name)
	}
	return e, nil
}

// newTable indexes the entries, which it keeps, and refuses a second owner.
func newTable(entries []entry) (*table, error) {
	t := &table{entries: entries, byName: map[string]*entry{}, byMediaType: map[string]Format{}}
	owners := map[string]string{}
	for i := range entries {
		e := &entries[i]
		if _, taken := t.byName[e.name]; taken {
			return nil, fmt.Errorf("%w: the name %q is taken: unregister or replace that format", ErrDuplicate, e.name)
		}
		t.byName[e.name] = e
		for _, mediaType := range e.mediaTypes {
			if owner, taken := owners[mediaType]; taken {
				return nil, fmt.Errorf("%w: %q cannot have the media type %q, which %q reads", ErrDuplicate, e.name, mediaType, owner)
			}
			owners[mediaType] = e.name
			t.byMediaType[mediaType] = e.format
		}
	}
	return t, nil
}

func isName(name string) bool {
	if name == "" || !isLowerAlnum(name[0]) {
		return false
	}
	for _, c := range []byte(name) {
		if !isLowerAlnum(c) && !strings.ContainsRune("./_+-", rune(c)) {
			return false
		}
	}
	return true
}

func indexOf(entries []entry, name string) int {
	return slices.IndexFunc(entries, func(e entry) bool { return e.name == name })
}

func namesOf(entries []entry) []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.name
	}
	return names
}

func unknownName(entries []entry, name string) error {
	return fmt.Errorf("%w %q: there are %s", ErrUnknown, name, list(namesOf(entries)))
}

func (t *table) unknownMediaType(contentType string) error {
	bare := bareMediaType(contentType)
	if len(bare) > maxMediaType {
		bare = bare[:maxMediaType]
	}
	return fmt.Errorf("%w for media type %q: there are formats for %s", ErrUnknown, bare, list(slices.Collect(maps.Keys(t.byMediaType))))
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

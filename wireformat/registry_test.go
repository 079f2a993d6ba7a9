package wireformat_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

// named is a format that has a name and media types and nothing to do.
type named struct {
	name       string
	mediaTypes []string
}

func (n *named) Name() string         { return n.name }
func (n *named) MediaTypes() []string { return slices.Clone(n.mediaTypes) }

func (n *named) Encode(context.Context, *profile.Profile, wireformat.Message, wireformat.Target) (wireformat.Frame, error) {
	return wireformat.Frame{}, &wireformat.Error{Kind: wireformat.ErrEncode, Format: n.name, Err: errors.New("it has nothing to do")}
}

func (n *named) Parse(context.Context, *profile.Profile, wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	return wireformat.Message{}, wireformat.Receipt{}, &wireformat.Error{Kind: wireformat.ErrParse, Format: n.name, Err: errors.New("it has nothing to do")}
}

// sniffing is one that knows its frames by how they begin.
type sniffing struct {
	named
	prefix string
}

func (s *sniffing) Sniff(f wireformat.Frame) bool {
	return strings.HasPrefix(string(f.Body), s.prefix)
}

func newRegistry(t *testing.T, formats ...wireformat.Format) *wireformat.Registry {
	t.Helper()
	registry, err := wireformat.NewRegistry(formats...)
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

func TestRegistryFindsFormats(t *testing.T) {
	t.Parallel()
	vendor := &named{"vendor/v1", []string{"application/vnd.example+cbor", "Application/X-Example"}}
	registry := newRegistry(t, append(wireformat.Builtin(), vendor)...)
	if names, want := registry.Names(), []string{"raw", "json", "vendor/v1"}; !slices.Equal(names, want) {
		t.Errorf("names are %v, want %v", names, want)
	}
	for _, test := range []struct{ mediaType, want string }{
		{"application/json", "json"},
		{"APPLICATION/JSON ; charset=utf-8", "json"},
		{"json", "json"},
		{"application/octet-stream", "raw"},
		{"application/vnd.example+cbor", "vendor/v1"},
		{"X-Example; v=1", "vendor/v1"},
	} {
		found, err := registry.ByMediaType(test.mediaType)
		if err != nil || found.Name() != test.want {
			t.Errorf("ByMediaType(%q) = %v, %v; want %s", test.mediaType, found, err, test.want)
		}
	}
	if found, err := registry.ByName("vendor/v1"); err != nil || found != wireformat.Format(vendor) {
		t.Errorf("ByName = %v, %v; want the format itself", found, err)
	}
}

// stamping is a format that is a Stamper.
type stamping struct{ named }

func (stamping) Stamp(context.Context, *profile.Profile, *wireformat.Frame, wireformat.Attempt) error {
	return nil
}

func TestRegistryFindsStampers(t *testing.T) {
	t.Parallel()
	signed := &stamping{named{"signed", []string{"application/vnd.signed"}}}
	registry := newRegistry(t, append(wireformat.Builtin(), wireformat.Decorate(signed, tag("a")))...)
	if found, err := registry.Stamper("signed"); err != nil || found != wireformat.Stamper(signed) {
		t.Errorf("the decorated stamper is %v, %v; want the one inside", found, err)
	}
	if found, err := registry.Stamper("json"); err != nil || found != nil {
		t.Errorf("the stamper of JSON is %v, %v; want none", found, err)
	}
	if _, err := registry.Stamper("nobody"); !errors.Is(err, wireformat.ErrUnknown) {
		t.Errorf("the stamper of nobody: %v, want ErrUnknown", err)
	}
}

func TestRegistryNamesWhatItKnows(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, wireformat.Builtin()...)
	_, byName := registry.ByName("yaml")
	_, byMediaType := registry.ByMediaType("text/html; charset=utf-8")
	_, byNothing := registry.ByMediaType("")
	_, byLong := registry.ByMediaType("a/" + strings.Repeat("a", 1<<16))
	for _, test := range []struct {
		err  error
		want string
	}{
		{byName, `unknown wire format "yaml": there are json, raw`},
		{byMediaType, `unknown wire format for media type "text/html": there are formats for application/json, application/octet-stream`},
		{byNothing, `unknown wire format for media type "": there are formats for application/json, application/octet-stream`},
		{byLong, "unknown wire format for media type"},
		{newRegistry(t).Unregister("raw"), `unknown wire format "raw": there are none`},
	} {
		if !errors.Is(test.err, wireformat.ErrUnknown) || !strings.HasPrefix(test.err.Error(), test.want) || len(test.err.Error()) > 600 {
			t.Errorf("error is %q, want %q", test.err, test.want)
		}
	}
}

func TestRegistryRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		f         wireformat.Format
		duplicate bool
		want      string
	}{
		{"nil", nil, false, "is nil"},
		{"no name", &named{"", []string{"a/b"}}, false, "want a name"},
		{"upper case", &named{"Raw", []string{"a/b"}}, false, "want a name"},
		{"starts with a dot", &named{".raw", []string{"a/b"}}, false, "want a name"},
		{"blank in the name", &named{"ra w", []string{"a/b"}}, false, "want a name"},
		{"no media type", &named{"a", nil}, false, "no media type"},
		{"media type without a slash", &named{"a", []string{"json"}}, false, "not a media type"},
		{"media type with two", &named{"a", []string{"a/b/c"}}, false, "not a media type"},
		{"media type with parameters", &named{"a", []string{"a/b; c=d"}}, false, "not a media type"},
		{"name taken", &named{"raw", []string{"a/b"}}, true, `the name "raw" is taken`},
		{"media type taken", &named{"a", []string{"a/b", "Application/JSON"}}, true, `"application/json", which "json" reads`},
		{"media type twice", &named{"a", []string{"a/b", "A/B"}}, true, `which "a" reads`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			registry := newRegistry(t, wireformat.Builtin()...)
			err := registry.Register(test.f)
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, wireformat.ErrDuplicate) != test.duplicate {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
			if _, err := wireformat.NewRegistry(append(wireformat.Builtin(), test.f)...); err == nil {
				t.Error("NewRegistry took it")
			}
			if names := registry.Names(); len(names) != 2 {
				t.Errorf("names are %v: half of it was registered", names)
			}
			if _, err := registry.ByMediaType("a/b"); err == nil {
				t.Error("its media type was registered")
			}
		})
	}
}

func TestRegistryReplacesAndUnregisters(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, wireformat.Builtin()...)
	mine := &named{"json", []string{"application/json", "text/json"}}
	if err := registry.Replace(mine); err != nil {
		t.Fatal(err)
	}
	if found, err := registry.ByMediaType("text/json"); err != nil || found != wireformat.Format(mine) {
		t.Errorf("after Replace there is %v, %v", found, err)
	}
	if err := registry.Replace(&named{"json", []string{"application/octet-stream"}}); !errors.Is(err, wireformat.ErrDuplicate) {
		t.Errorf("a replacement took raw's media type: %v", err)
	}
	if found, err := registry.ByName("json"); err != nil || found != wireformat.Format(mine) {
		t.Errorf("after a refused Replace there is %v, %v", found, err)
	}
	if err := registry.Replace(&named{"yaml", []string{"text/yaml"}}); !errors.Is(err, wireformat.ErrUnknown) {
		t.Errorf("replacing what is not there: %v", err)
	}
	if err := registry.Unregister("json"); err != nil {
		t.Fatal(err)
	}
	if found, err := registry.ByMediaType("text/json"); !errors.Is(err, wireformat.ErrUnknown) {
		t.Errorf("after Unregister there is %v, %v", found, err)
	}
	if err := registry.Register(mine); err != nil {
		t.Errorf("the name is not free again: %v", err)
	}
}

func TestRegistryPicksTheFormatOfAFrame(t *testing.T) {
	t.Parallel()
	angle := &sniffing{named{"angle", []string{"application/x-angle"}}, "<"}
	double := &sniffing{named{"double", []string{"application/x-double"}}, "<<"}
	header := &sniffing{named{"header", nil}, "<<<"}
	registry := newRegistry(t, append(wireformat.Builtin(), double, angle, header)...)
	for _, test := range []struct{ contentType, body, want string }{
		{"", "", "raw"},
		{" ; charset=utf-8", "x", "raw"},
		{"", "<", "angle"},
		{"", "<<", "double"}, // registered first
		{"text/plain; charset=utf-8", "<", "angle"},
		{"text/plain", "x", "raw"},
		{"application/json", "{}", "json"},
		{"JSON", "<", "angle"},
		{"application/octet-stream", "{}", "raw"},
		{"application/x-angle", "x", "angle"},
		{"x-double", "<", "double"},
		{"image/png", "<", ""},
		{"image/png", "<<<", "header"}, // which has no media type of its own
		{strings.Repeat("a", 300), "<", ""},
	} {
		found, err := registry.ForFrame(wireformat.Frame{ContentType: test.contentType, Body: []byte(test.body)})
		switch {
		case test.want == "":
			if !errors.Is(err, wireformat.ErrUnknown) {
				t.Errorf("%q %q: %v, %v; want ErrUnknown", test.contentType, test.body, found, err)
			}
		case err != nil || found.Name() != test.want:
			t.Errorf("%q %q: %v, %v; want %s", test.contentType, test.body, found, err, test.want)
		}
	}
	if err := registry.Unregister("raw"); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.ForFrame(wireformat.Frame{}); !errors.Is(err, wireformat.ErrUnknown) {
		t.Errorf("without raw: %v, want ErrUnknown", err)
	}
}

func TestRegistryIsConcurrent(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, wireformat.Builtin()...)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			f := &named{fmt.Sprintf("f%d", i), []string{fmt.Sprintf("a/f%d", i)}}
			for range 50 {
				if err := errors.Join(registry.Register(f), registry.Replace(f), registry.Unregister(f.name)); err != nil {
					t.Error(err)
				}
			}
		})
		group.Go(func() {
			for range 200 {
				if _, err := registry.ForFrame(wireformat.Frame{ContentType: "application/json"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if names := registry.Names(); len(names) != 2 {
		t.Errorf("names are %v", names)
	}
}

func TestRegistryLookupAllocatesNothing(t *testing.T) {
	registry := newRegistry(t, append(wireformat.Builtin(), &sniffing{named{"angle", []string{"a/b"}}, "<"})...)
	allocations := testing.AllocsPerRun(100, func() {
		_, byName := registry.ByName("json")
		_, byMediaType := registry.ByMediaType("Application/JSON; charset=utf-8")
		_, forFrame := registry.ForFrame(wireformat.Frame{ContentType: "text/plain"})
		if byName != nil || byMediaType != nil || forFrame != nil {
			t.Error(byName, byMediaType, forFrame)
		}
	})
	if allocations != 0 {
		t.Errorf("three lookups allocate %v times", allocations)
	}
}

func FuzzRegistryMediaType(f *testing.F) {
	for _, seed := range []string{"", "application/json", "JSON;a=b", "a/b/c", ";", "/", strings.Repeat("x", 256)} {
		f.Add(seed)
	}
	registry, err := wireformat.NewRegistry(wireformat.Builtin()...)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, contentType string) {
		byMediaType, mediaErr := registry.ByMediaType(contentType)
		forFrame, frameErr := registry.ForFrame(wireformat.Frame{ContentType: contentType})
		if mediaErr == nil && (frameErr != nil || forFrame != byMediaType) {
			t.Errorf("by media type %v, for a frame %v, %v", byMediaType, forFrame, frameErr)
		}
	})
}

package agent

import (
	"errors"
	"testing"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/v2"
)

// content is a koanf.Provider of a file's bytes.
type content []byte

func (c content) ReadBytes() ([]byte, error)    { return c, nil }
func (c content) Read() (map[string]any, error) { return nil, errors.New("want a parser") }

// FuzzConfig: whatever is in a file, it is read or refused with the key at fault.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		"workers: 3\napi: {listen: '127.0.0.1:0', token: env:X}\n", "profiles: {a.b: {egress: {allow_networks: [10.0.0.0/8]}}}\n",
		"retain: {dead: {age: 1h, count: 3}}\nmax_bytes: 1GiB\n", "profiles: [1, {2: 3}]\n", "1: {2: 3}\n", "workers: {}\n", "&a [*a]\n", "profiles: {p: {secrets: {1: 2}}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		merged := koanf.New(".")
		if err := merged.Load(content(body), yaml.Parser()); err != nil {
			if fileError(err).Error() == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		config, faults := decodeConfig(merged.Raw(), secretReader{})
		for _, fault := range faults {
			if key, ok := errors.AsType[*KeyError](fault); !ok || key.Err == nil {
				t.Fatalf("%v names no key", fault)
			}
		}
		if err := config.Validate(); err != nil && err.Error() == "" {
			t.Fatal("an error without a text")
		}
	})
}

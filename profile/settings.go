package profile

import (
	"fmt"
	"maps"
	"strconv"
	"time"
)

// Settings are named values in scopes: a scope sees the values of those behind
// it, and its own in front of them. A Settings does not change once made. The
// zero value has no values.
type Settings struct {
	values map[string]string
	parent *Settings
}

// NewSettings returns a scope with a copy of values.
func NewSettings(values map[string]string) Settings {
	return Settings{values: maps.Clone(values)}
}

// Scope returns a scope with a copy of values, in front of s.
func (s Settings) Scope(values map[string]string) Settings {
	if len(values) == 0 {
		return s
	}
	return Settings{values: maps.Clone(values), parent: &s}
}

// Get returns the value of the first of the names that has one.
func (s Settings) Get(names ...string) (string, bool) {
	for _, name := range names {
		for scope := &s; scope != nil; scope = scope.parent {
			if value, ok := scope.values[name]; ok {
				return value, true
			}
		}
	}
	return "", false
}

// String returns the value of name, or otherwise the fallback.
func (s Settings) String(name, fallback string) string {
	if value, ok := s.Get(name); ok {
		return value
	}
	return fallback
}

// Bool returns the value of name as a boolean (as strconv.ParseBool reads it),
// or the fallback where there is none.
func (s Settings) Bool(name string, fallback bool) (bool, error) {
	return parse(s, name, fallback, "true or false", strconv.ParseBool)
}

// Int returns the value of name as a whole number.
func (s Settings) Int(name string, fallback int) (int, error) {
	return parse(s, name, fallback, "a whole number", strconv.Atoi)
}

// Duration returns the value of name as a duration such as "1m30s".
func (s Settings) Duration(name string, fallback time.Duration) (time.Duration, error) {
	return parse(s, name, fallback, "a duration such as 1m30s", time.ParseDuration)
}

func parse[T any](s Settings, name string, fallback T, want string, read func(string) (T, error)) (T, error) {
	text, ok := s.Get(name)
	if !ok {
		return fallback, nil
	}
	value, err := read(text)
	if err != nil {
		return fallback, fmt.Errorf("setting %q: want %s", name, want)
	}
	return value, nil
}

// All returns every value that is seen from s.
func (s Settings) All() map[string]string {
	all := map[string]string{}
	if s.parent != nil {
		all = s.parent.All()
	}
	maps.Copy(all, s.values)
	return all
}

package profile_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
)

// scoped returns three scopes, the nearest one last.
func scoped() profile.Settings {
	return profile.NewSettings(map[string]string{"a": "far", "b": "far", "c": "far"}).
		Scope(map[string]string{"b": "middle", "c": "middle"}).
		Scope(map[string]string{"c": "near", "empty": ""})
}

func TestSettingsGet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		s     profile.Settings
		names []string
		want  string
		ok    bool
	}{
		{"own", scoped(), []string{"c"}, "near", true},
		{"of the scope behind", scoped(), []string{"b"}, "middle", true},
		{"of the farthest scope", scoped(), []string{"a"}, "far", true},
		{"an empty value is a value", scoped(), []string{"empty", "a"}, "", true},
		{"the first name that has one", scoped(), []string{"none", "a", "c"}, "far", true},
		{"none", scoped(), []string{"none"}, "", false},
		{"no names", scoped(), nil, "", false},
		{"zero value", profile.Settings{}, []string{"a"}, "", false},
		{"scope of the zero value", profile.Settings{}.Scope(map[string]string{"a": "1"}), []string{"a"}, "1", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, ok := tt.s.Get(tt.names...); got != tt.want || ok != tt.ok {
				t.Errorf("got %q, %v; want %q, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestSettingsAll(t *testing.T) {
	t.Parallel()
	s := scoped()
	want := map[string]string{"a": "far", "b": "middle", "c": "near", "empty": ""}
	all := s.All()
	if !maps.Equal(all, want) {
		t.Errorf("got %v, want %v", all, want)
	}
	all["a"] = "changed"
	if again := s.All(); !maps.Equal(again, want) {
		t.Errorf("the settings changed with the map they returned: %v", again)
	}
	if none := (profile.Settings{}).All(); none == nil || len(none) != 0 {
		t.Errorf("the zero value has %v", none)
	}
}

func TestSettingsDoNotChange(t *testing.T) {
	t.Parallel()
	values := map[string]string{"a": "1"}
	far := profile.NewSettings(values)
	near := far.Scope(values)
	values["a"], values["b"] = "2", "2"
	near.Scope(map[string]string{"a": "3"})
	for name, s := range map[string]profile.Settings{"far": far, "near": near, "same": near.Scope(nil)} {
		if all := s.All(); len(all) != 1 || all["a"] != "1" {
			t.Errorf("%s became %v", name, all)
		}
	}
}

func TestSettingsTyped(t *testing.T) {
	t.Parallel()
	s := profile.NewSettings(map[string]string{
		"yes": "true", "no": "0", "n": "-42", "d": "1m30s", "text": "hello", "empty": "", "bad": canary,
	})
	type results struct {
		text     string
		boolean  bool
		number   int
		duration time.Duration
	}
	fallback := results{"fallback", true, 7, time.Hour}
	tests := []struct {
		setting                        string
		want                           results
		boolFails, intFails, timeFails bool
	}{
		{"none", fallback, false, false, false},
		{"yes", results{"true", true, 7, time.Hour}, false, true, true},
		{"no", results{"0", false, 0, 0}, false, false, false},
		{"n", results{"-42", true, -42, time.Hour}, true, false, true},
		{"d", results{"1m30s", true, 7, 90 * time.Second}, true, true, false},
		{"text", results{"hello", true, 7, time.Hour}, true, true, true},
		{"empty", results{"", true, 7, time.Hour}, true, true, true},
		{"bad", results{canary, true, 7, time.Hour}, true, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.setting, func(t *testing.T) {
			t.Parallel()
			boolean, boolErr := s.Bool(tt.setting, fallback.boolean)
			number, intErr := s.Int(tt.setting, fallback.number)
			duration, timeErr := s.Duration(tt.setting, fallback.duration)
			if got := (results{s.String(tt.setting, fallback.text), boolean, number, duration}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			for _, check := range []struct {
				err   error
				fails bool
			}{{boolErr, tt.boolFails}, {intErr, tt.intFails}, {timeErr, tt.timeFails}} {
				if (check.err != nil) != check.fails {
					t.Errorf("error %v, wanted one: %v", check.err, check.fails)
				}
				if check.err != nil && (!strings.Contains(check.err.Error(), tt.setting) || strings.Contains(check.err.Error(), canary)) {
					t.Errorf("%q does not name the setting, or shows its value", check.err)
				}
			}
		})
	}
}

package transport_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport"
)

func TestSecretIsHidden(t *testing.T) {
	t.Parallel()
	type config struct {
		name  string
		key   transport.Secret
		other *transport.Secret
		Keys  []transport.Secret
		ByID  map[string]transport.Secret
	}
	secret := transport.NewSecret(canary)
	c := config{"name", secret, &secret, []transport.Secret{secret}, map[string]transport.Secret{"a": secret}}
	for name, value := range map[string]any{
		"secret": secret, "pointer": &secret, "slice": []transport.Secret{secret}, "config": c, "pointer to config": &c,
		"endpoint": parse(t, "https://"+canary+"@h/?"+canary+"#"+canary), "error": fmt.Errorf("failed with %v: %w", secret, transport.ErrID),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkHidden(t, value)
		})
	}
}

func TestSecretFormat(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		if got := fmt.Sprintf(verb, transport.NewSecret(canary)); got != "***" {
			t.Errorf("%s: %q", verb, got)
		}
		if got := fmt.Sprintf(verb, transport.Secret{}); got != "" {
			t.Errorf("%s of the empty secret: %q", verb, got)
		}
	}
}

func TestSecretText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a", canary, "with \"quotes\"", strings.Repeat("x", 1000)} {
		s := transport.NewSecret(text)
		if s.Reveal() != text || s.IsZero() != (text == "") {
			t.Errorf("%q: reveals %q, zero: %v", text, s.Reveal(), s.IsZero())
		}
		if want := map[bool]string{true: "", false: "***"}[text == ""]; s.String() != want {
			t.Errorf("%q: shown as %q", text, s)
		}
	}
}

func TestSecretEqual(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{{"a", "a", true}, {"a", "b", false}, {"a", "ab", false}, {"", "", true}, {"", "a", false}}
	for _, tt := range tests {
		if got := transport.NewSecret(tt.a).Equal(transport.NewSecret(tt.b)); got != tt.want {
			t.Errorf("%q and %q: %v", tt.a, tt.b, got)
		}
	}
}

func TestSecretJSON(t *testing.T) {
	t.Parallel()
	type config struct {
		Key   transport.Secret `json:"key"`
		Unset transport.Secret `json:"unset,omitzero"`
	}
	var c config
	if err := json.Unmarshal([]byte(`{"key":"`+canary+`"}`), &c); err != nil || c.Key.Reveal() != canary || !c.Unset.IsZero() {
		t.Errorf("read %q, %v", c.Key.Reveal(), err)
	}
	if text, err := json.Marshal(c); err != nil || string(text) != `{"key":"***"}` {
		t.Errorf("wrote %s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`{"key":""}`), &c); err != nil || !c.Key.IsZero() {
		t.Errorf("an empty text makes %q, %v", c.Key.Reveal(), err)
	}
}

func TestSecretKeepsItsOwnCopy(t *testing.T) {
	t.Parallel()
	text := []byte("before")
	var s transport.Secret
	if err := s.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	copy(text, "after!")
	if s.Reveal() != "before" {
		t.Errorf("it changed to %q", s.Reveal())
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	text := []byte("bob said bobsecret to k")
	got := transport.Mask(text, []string{"bob", "", "bobsecret"})
	if string(got) != "*** said *** to k" {
		t.Errorf("got %q", got)
	}
	if string(text) != "bob said bobsecret to k" {
		t.Errorf("the text became %q", text)
	}
}

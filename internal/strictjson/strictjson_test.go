package strictjson

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{`{"a":1,"b":{"a":2}}`, ""},
		{`[{"a":1},{"a":2}]`, ""},
		{`"text"`, ""},
		{` "text" `, ""},
		{`1.5`, ""},
		{`null`, ""},
		{``, "empty"},
		{`[1,2`, "not valid JSON"},
		{`[] []`, "not valid JSON"},
		{`[{"a":1,"a":2}]`, "a name twice"},
		{`{"a":1,"\u0061":2}`, "a name twice"},
		{`"` + "\xff" + `"`, "not UTF-8"},
		{strings.Repeat("[", 9) + strings.Repeat("]", 9), "deeper than 8"},
		{strings.Repeat("[", 8) + strings.Repeat("]", 8), ""},
	} {
		err := Check([]byte(test.text), 8)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	o, err := ParseObject([]byte(`{"kid":"a\u0062","n":1,"none":null,"list":[1,2]}`), 8)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := o.Text("kid"); err != nil || text != "ab" {
		t.Errorf("kid is %q, %v", text, err)
	}
	if _, err := o.Text("n"); err == nil || !strings.Contains(err.Error(), "n is not a string") {
		t.Errorf("a number as text: %v", err)
	}
	for _, name := range []string{"Kid", "none", "missing"} {
		if text, err := o.Text(name); err != nil || text != "" || o.Has(name) {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
	var list []int
	if err := o.Into("list", &list); err != nil || len(list) != 2 {
		t.Errorf("list is %v, %v", list, err)
	}
	if err := o.Into("kid", &list); err == nil || strings.Contains(err.Error(), "ab") {
		t.Errorf("text as a list: %v", err)
	}
	if elements, err := Elements(o["list"]); err != nil || len(elements) != 2 {
		t.Errorf("elements are %s, %v", elements, err)
	}
	for _, text := range []string{`null`, `{}`, `1`} {
		if _, err := Elements([]byte(text)); err == nil {
			t.Errorf("%s has elements", text)
		}
	}
}

// FuzzParseObject: what is read has the names that encoding/json reads.
func FuzzParseObject(f *testing.F) {
	for _, text := range []string{`{}`, `{"a":{"b":[1,"x",null]},"A":""}`, `{"a":1,"a":2}`, `[`, `"x"`, `{"\ud800":1}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := ParseObject(text, 16)
		if err != nil {
			return
		}
		var std map[string]json.RawMessage
		if err := json.Unmarshal(text, &std); err != nil {
			t.Fatalf("it was taken and encoding/json says %v", err)
		}
		if len(std) != len(o) {
			t.Fatalf("%d members were read, %d by encoding/json", len(o), len(std))
		}
		for name, value := range std {
			if string(o[name]) != string(value) {
				t.Errorf("a member is %q, want %q", o[name], value)
			}
		}
	})
}

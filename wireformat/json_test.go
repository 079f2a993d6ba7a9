package wireformat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

func TestJSONReceipt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		body string
		want wireformat.Receipt
	}{
		{"nothing", `{}`, wireformat.Receipt{}},
		{"id", `{"@id":"a"}`, wireformat.Receipt{ThreadID: "a"}},
		{"thread beats id", `{"@id":"a","~thread":{"thid":"b"}}`, wireformat.Receipt{ThreadID: "b"}},
		{"thread before id", `{"~thread" : {"thid" : "b"} , "@id" : "a"}`, wireformat.Receipt{ThreadID: "b"}},
		{"thread without thid", `{"@id":"a","~thread":{"pthid":"p"}}`, wireformat.Receipt{ThreadID: "a", ParentThreadID: "p"}},
		{"empty thid", `{"@id":"a","~thread":{"thid":""}}`, wireformat.Receipt{ThreadID: "a"}},
		{"nulls", `{"@id":null,"~thread":null,"~transport":{"return_route":null}}`, wireformat.Receipt{}},
		{"return route all", `{"~transport":{"return_route":"all"}}`, wireformat.Receipt{ReturnRoute: "all"}},
		{"return route thread", `{"~transport":{"x":[{}],"return_route":"thread"}}`, wireformat.Receipt{ReturnRoute: "thread"}},
		{"return route none", `{"~transport":{"return_route":"none"}}`, wireformat.Receipt{ReturnRoute: "none"}},
		{"return route unknown", `{"~transport":{"return_route":"some"}}`, wireformat.Receipt{}},
		{"names are exact", `{"@ID":"a","~Thread":{"thid":"b"},"~thread":{"Thid":"c"}}`, wireformat.Receipt{}},
		{"deeper ones do not count", `{"a":{"@id":"a","~thread":{"thid":"b"}},"b":["@id","x"]}`, wireformat.Receipt{}},
		{"escaped name and value", `{"\u0040id":"\u0061\"b\\"}`, wireformat.Receipt{ThreadID: `a"b\`}},
		{"same name in two objects", `{"a":{"@id":1},"b":{"@id":2},"@id":"a"}`, wireformat.Receipt{ThreadID: "a"}},
		{"blanks after it", "{\"@id\" :\n\t\"a\"\r\n}\n", wireformat.Receipt{ThreadID: "a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.want.Format = "json"
			_, receipt, err := new(wireformat.JSON).Parse(t.Context(), profile.Default(), wireformat.Frame{Body: []byte(test.body)})
			if err != nil || receipt != test.want {
				t.Errorf("receipt is %+v, %v; want %+v", receipt, err, test.want)
			}
		})
	}
}

func TestJSONSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	small, err := wireformat.NewJSON(wireformat.JSONOptions{MaxBytes: 10, MaxDepth: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, body, want string
		f                *wireformat.JSON
	}{
		{"empty", "", "it is empty: want a JSON object", nil},
		{"blank", " \n", "it is empty: want a JSON object", nil},
		{"not UTF-8", "{\"a\":\"\xff\"}", "it is not UTF-8", nil},
		{"byte order mark", "\ufeff{}", "it is not valid JSON at byte 1 of 5", nil},
		{"garbage", `{"a":x}`, "it is not valid JSON at byte 6 of 7", nil},
		{"cut", `{"a":`, "it is not valid JSON at byte 5 of 5", nil},
		{"trailing", `{} {}`, "it is not valid JSON at byte 4 of 5", nil},
		{"array", `[]`, "it is not a JSON object", nil},
		{"string", `"a"`, "it is not a JSON object", nil},
		{"number", ` 1`, "it is not a JSON object", nil},
		{"name twice", `{"a":1,"b":{},"a":2}`, "the object that ends at byte 20 has a name twice", nil},
		{"name twice, escaped", `{"a":1,"\u0061":2}`, "has a name twice", nil},
		{"name twice, inside", `{"a":[{"x":{"b":1,"c":{},"b":[]}}]}`, "the object that ends at byte 32 has a name twice", nil},
		{"too long", `{"a":"123"}`, "it has 11 bytes: at most 10 are allowed", small},
		{"too deep", `{"a":[[]]}`, "it nests deeper than 2 levels", small},
		{"too deep by default", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), "it nests deeper than 64 levels", nil},
		{"id", `{"@id":5}`, "@id is not a string", nil},
		{"thread", `{"~thread":[]}`, "~thread is not an object", nil},
		{"thid", `{"~thread":{"thid":{}}}`, "~thread.thid is not a string", nil},
		{"pthid", `{"~thread":{"pthid":1}}`, "~thread.pthid is not a string", nil},
		{"transport", `{"~transport":"all"}`, "~transport is not an object", nil},
		{"return route", `{"~transport":{"return_route":true}}`, "~transport.return_route is not a string", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := test.f
			if f == nil {
				f = &wireformat.JSON{}
			}
			_, _, parseErr := f.Parse(t.Context(), profile.Default(), wireformat.Frame{Body: []byte(test.body)})
			if !errors.Is(parseErr, wireformat.ErrParse) || !strings.HasSuffix(parseErr.Error(), test.want) {
				t.Errorf("Parse: %v, want %q", parseErr, test.want)
			}
			_, encodeErr := f.Encode(t.Context(), profile.Default(), wireformat.Message{Payload: []byte(test.body)}, wireformat.Target{})
			if !errors.Is(encodeErr, wireformat.ErrEncode) || !strings.HasSuffix(encodeErr.Error(), test.want) {
				t.Errorf("Encode: %v, want %q", encodeErr, test.want)
			}
		})
	}
}

func TestJSONTakesWhatItsLimitsAllow(t *testing.T) {
	t.Parallel()
	f, err := wireformat.NewJSON(wireformat.JSONOptions{MaxBytes: 10, MaxDepth: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"a":[12]}`, `{"a":[]}`, `{}`} {
		if _, _, err := f.Parse(t.Context(), profile.Default(), wireformat.Frame{Body: []byte(body)}); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestJSONContentType(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ given, encoded, parsed string }{
		{"", "application/json", "application/json"},
		{"application/json; charset=utf-8", "application/json; charset=utf-8", "application/json; charset=utf-8"},
		{"application/ld+json", "application/ld+json", "application/ld+json"},
		{"text/plain", "", "application/json"},
		{"application/octet-stream", "", "application/json"},
	} {
		body := []byte(`{}`)
		frame, err := new(wireformat.JSON).Encode(t.Context(), profile.Default(),
			wireformat.Message{ContentType: test.given, Payload: body}, wireformat.Target{})
		if (err != nil) != (test.encoded == "") || frame.ContentType != test.encoded || frame.Text != (err == nil) {
			t.Errorf("%q encodes to %q, %v; want %q", test.given, frame.ContentType, err, test.encoded)
		}
		m, _, err := new(wireformat.JSON).Parse(t.Context(), profile.Default(), wireformat.Frame{ContentType: test.given, Body: body})
		if err != nil || m.ContentType != test.parsed || !m.Text {
			t.Errorf("%q parses to %q, %v; want %q", test.given, m.ContentType, err, test.parsed)
		}
	}
}

func TestJSONOptionsNameEachFault(t *testing.T) {
	t.Parallel()
	_, err := wireformat.NewJSON(wireformat.JSONOptions{MaxBytes: -1, MaxDepth: 10001})
	if err == nil || !strings.Contains(err.Error(), "MaxBytes") || !strings.Contains(err.Error(), "MaxDepth") {
		t.Errorf("error is %v, want both fields", err)
	}
	if _, err := wireformat.NewJSON(wireformat.JSONOptions{MaxDepth: 10000}); err != nil {
		t.Error(err)
	}
}

// FuzzJSON compares Parse with what encoding/json's decoder makes of the body,
// token by token.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"@id":"a","~thread":{"thid":"b","pthid":"c"},"~transport":{"return_route":"all"}}`,
		`{"a":1,"\u0061":2}`, `{"a":{"b":[{"c":"}\\\""}]}}`, `[]`, `{"a":1}{}`, "{\"a\":\"\xff\"}",
		`{"~thread":[]}`, strings.Repeat(`{"a":[`, 40), `{"\ud800":1,"\ud801":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, receipt, err := new(wireformat.JSON).Parse(t.Context(), profile.Default(), wireformat.Frame{Body: body})
		if err != nil {
			if !errors.Is(err, wireformat.ErrParse) {
				t.Errorf("error is %v, want ErrParse", err)
			}
			return
		}
		if !bytes.Equal(m.Payload, body) {
			t.Error("the payload is not the body")
		}
		var object map[string]any
		if err := json.Unmarshal(body, &object); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if names, members := countMembers(t, body); names != members {
			t.Errorf("it has %d names for %d members", names, members)
		}
		id, _ := object["@id"].(string)
		thread, _ := object["~thread"].(map[string]any)
		if thid, _ := thread["thid"].(string); thid != "" {
			id = thid
		}
		if receipt.ThreadID != id {
			t.Errorf("thread is %q, want %q", receipt.ThreadID, id)
		}
	})
}

// countMembers counts names as they are written, and members as they are
// decoded, where a second one of the same name would be lost.
func countMembers(t *testing.T, body []byte) (written, decoded int) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var tokens, brackets int
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, bracket := token.(json.Delim); bracket {
			brackets++
		} else {
			tokens++
		}
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Fatal(err)
	}
	members, scalars, containers := count(value)
	if brackets != 2*containers {
		return -1, members // a container was lost with the member that held it
	}
	return tokens - scalars, members
}

// count returns the members of all objects in value, its scalars, and its
// objects and arrays.
func count(value any) (members, scalars, containers int) {
	var children []any
	switch v := value.(type) {
	case map[string]any:
		members, containers = len(v), 1
		for _, child := range v {
			children = append(children, child)
		}
	case []any:
		containers, children = 1, v
	default:
		return 0, 1, 0
	}
	for _, child := range children {
		m, s, c := count(child)
		members, scalars, containers = members+m, scalars+s, containers+c
	}
	return members, scalars, containers
}

func BenchmarkJSONEncode(b *testing.B) {
	payload := []byte(`{"@type":"https://didcomm.org/basicmessage/1.0/message","@id":"0198c0de-5b1e-7abc-8def-0123456789ab",` +
		`"~thread":{"thid":"0198c0de-5b1e-7abc-8def-0123456789ac"},"content":"` + strings.Repeat("a", 800) + `"}`)
	m := wireformat.Message{Payload: payload, Text: true}
	f, p := &wireformat.JSON{}, profile.Default()
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if _, err := f.Encode(b.Context(), p, m, wireformat.Target{}); err != nil {
			b.Fatal(err)
		}
	}
}

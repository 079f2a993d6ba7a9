package cloudevents

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/vectors"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/wireformattest"
)

func tenant(t testing.TB) *profile.Profile {
	t.Helper()
	p, err := profile.New("tenant", profile.Options{Settings: map[string]string{SettingSource: "/src", SettingType: "com.example.t"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// bare are samples without white space around JSON, which structured mode drops.
func bare(samples []wireformattest.Sample) []wireformattest.Sample {
	kept := samples[:0]
	for _, s := range samples {
		if s.Name != "blanks" {
			kept = append(kept, s)
		}
	}
	return kept
}

func with(s wireformattest.Sample, name string, metadata transport.Metadata, contentType string) wireformattest.Sample {
	s.Name, s.Message.Metadata, s.Message.ContentType = name, metadata, contentType
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	c := wireformattest.Canary
	object := wireformattest.Text("", `{"canary":"`+c+`"}`)
	refused := []wireformattest.Sample{
		wireformattest.Text("not UTF-8", c+"\xff"),
		with(object, "another version", transport.Metadata{"ce-specversion": c}, ""),
		with(object, "a time that is none", transport.Metadata{"ce-time": c}, ""),
		with(object, "upper case", transport.Metadata{"Ce-Subject": c}, ""),
		with(object, "a bad name", transport.Metadata{"ce-sub_ject": c}, ""),
		with(object, "content type twice", transport.Metadata{"ce-datacontenttype": c}, ""),
		with(wireformattest.Text("", c), "JSON that is none", nil, "application/json"),
		with(wireformattest.Text("", c), "an event that is none", nil, TypeStructured),
		with(object, "a content type that is none", nil, c),
		with(object, "a schema that is relative", transport.Metadata{"ce-dataschema": c}, ""),
	}
	attributes := with(object, "attributes", transport.Metadata{"ce-subject": `Euro € 😀 "q" 100%`, "ce-ext1": "v", "other": "1"}, "application/json")
	xml := with(wireformattest.Text("", "<a>é</a>"), "xml", nil, "text/xml")
	many := append(wireformattest.AnySamples(), attributes, xml)
	batch := with(wireformattest.Text("", ` [{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"`+c+`"},`+
		`{"specversion":"1.0","id":"2","source":"/s","type":"t"}] `), "batch", nil, TypeBatch)
	for _, test := range []struct {
		format  wireformat.Format
		samples []wireformattest.Sample
	}{
		{&Structured{}, bare(wireformattest.AnySamples())},
		{&Structured{}, []wireformattest.Sample{attributes, xml}},
		{NewBinary(), many},
		{NewAMQP(), many},
		{&Batch{}, []wireformattest.Sample{batch, with(wireformattest.Text("", "[]"), "empty batch", nil, TypeBatch)}},
	} {
		t.Run(test.format.Name(), func(t *testing.T) {
			t.Parallel()
			wireformattest.Run(t, func(*testing.T) wireformat.Format { return test.format }, wireformattest.Features{
				Samples: test.samples, Refused: refused, Profile: tenant(t),
			})
		})
	}
}

// TestAttributesComeBack: what a message says of its event, its receiver reads, in
// each mode.
func TestAttributesComeBack(t *testing.T) {
	t.Parallel()
	want := transport.Metadata{
		"ce-subject": `Euro € 😀 "q" 100% %41`, "ce-source": "https://example.com/a?b#c", "ce-type": "t",
		"ce-time": "2018-04-05T03:56:24.123+02:00", "ce-id": "A234-1234-1234", "ce-ext1": " v ", "ce-dataschema": "urn:x:y",
	}
	for _, f := range []wireformat.Format{&Structured{}, NewBinary(), NewAMQP()} {
		m := wireformat.Message{Payload: []byte(`{"a":[1, 2]}`), ContentType: "application/json; charset=utf-8", Metadata: want.Clone()}
		frame, err := f.Encode(t.Context(), profile.Default(), m, wireformat.Target{})
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() != NameAMQP {
			for name, value := range frame.Header {
				if strings.ContainsAny(value, " \"\u20ac") {
					t.Errorf("%s: header %s is not encoded: %q", f.Name(), name, value)
				}
			}
		}
		maps.DeleteFunc(frame.Header, func(name, _ string) bool { return f.Name() == NameAMQP && strings.HasPrefix(name, "ce-") })
		parsed, _, err := f.Parse(t.Context(), profile.Default(), frame)
		if err != nil {
			t.Fatal(err)
		}
		if string(parsed.Payload) != string(m.Payload) || parsed.ContentType != m.ContentType || !maps.Equal(parsed.Metadata, want) {
			t.Errorf("%s: %q %q %v", f.Name(), parsed.Payload, parsed.ContentType, parsed.Metadata)
		}
	}
}

// TestWholeEvent: a payload that is an event is sent in the form of the mode.
func TestWholeEvent(t *testing.T) {
	t.Parallel()
	m := wireformat.Message{ContentType: TypeStructured, Payload: []byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t","n":5,"b":true,"datacontenttype":"text/plain","data":"hi"}`)}
	frame, err := NewBinary().Encode(t.Context(), profile.Default(), m, wireformat.Target{})
	want := map[string]string{"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-n": "5", "ce-b": "true"}
	if err != nil || string(frame.Body) != "hi" || frame.ContentType != "text/plain" || !maps.Equal(frame.Header, want) {
		t.Errorf("binary: %+v, %v", frame, err)
	}
	frame, err = (&Batch{}).Encode(t.Context(), profile.Default(), m, wireformat.Target{})
	if err != nil {
		t.Fatal(err)
	}
	events, err := ParseBatch(frame.Body)
	if err != nil || len(events) != 1 || !reflect.DeepEqual(events[0].Extensions, map[string]any{"n": int32(5), "b": true}) {
		t.Errorf("batch: %s, %v", frame.Body, err)
	}
}

func TestMissingAttributesAreNamed(t *testing.T) {
	t.Parallel()
	_, err := (&Structured{}).Encode(t.Context(), profile.Default(), wireformat.Message{Payload: []byte("{}"), Text: true}, wireformat.Target{})
	if !errors.Is(err, wireformat.ErrEncode) || !strings.Contains(err.Error(), "ce-source") || !strings.Contains(err.Error(), SettingSource) {
		t.Errorf("error is %v, want one that names ce-source and the setting", err)
	}
	id := transport.NewID(time.UnixMilli(1_700_000_000_000))
	frame, err := (&Structured{}).Encode(t.Context(), tenant(t), wireformat.Message{ID: id, Payload: []byte("{}"), Text: true}, wireformat.Target{})
	if err != nil {
		t.Fatal(err)
	}
	event, err := Parse(frame.Body)
	if err != nil || event.ID != id.String() || !event.Time.Equal(id.Time()) || event.Source != "/src" || event.Type != "com.example.t" {
		t.Errorf("event is %+v, %v", event, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const ok = `"specversion":"1.0","id":"1","source":"/s","type":"t"`
	if _, err := Parse([]byte("{" + ok + "}")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"an id twice":           `{` + ok + `,"id":"2"}`,
		"no version":            `{"id":"1","source":"/s","type":"t"}`,
		"version as a number":   `{"specversion":1.0,"id":"1","source":"/s","type":"t"}`,
		"version in capitals":   `{"SpecVersion":"1.0","id":"1","source":"/s","type":"t"}`,
		"empty id":              `{"specversion":"1.0","id":"","source":"/s","type":"t"}`,
		"data twice":            `{` + ok + `,"data":1,"data_base64":"AA=="}`,
		"no base64":             `{` + ok + `,"data_base64":"%"}`,
		"an object":             `{` + ok + `,"ext":{}}`,
		"a large number":        `{` + ok + `,"ext":2147483648}`,
		"a fraction":            `{` + ok + `,"ext":1.5}`,
		"a name in capitals":    `{` + ok + `,"Ext":"v"}`,
		"a control character":   `{` + ok + `,"ext":"\u0007"}`,
		"a noncharacter":        `{` + ok + `,"ext":"\uffff"}`,
		"a time without a zone": `{` + ok + `,"time":"2018-04-05T03:56:24"}`,
		"nested":                `{` + ok + `,"data":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
		"many extensions":       `{` + ok + manyExtensions(70) + `}`,
		"a batch":               `[{` + ok + `}]`,
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrEvent) {
			t.Errorf("%s: %v, want ErrEvent", name, err)
		}
	}
	if _, err := ParseBatch([]byte(`[{` + ok + `},{}]`)); !errors.Is(err, ErrEvent) || !strings.Contains(err.Error(), "event 2") {
		t.Errorf("a bad event in a batch: %v", err)
	}
}

func manyExtensions(n int) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(`,"x` + strings.Repeat("a", i) + `":1`)
	}
	return out.String()
}

func TestRequestsOfEachMode(t *testing.T) {
	t.Parallel()
	header := http.Header{"Content-Type": {"text/plain"}, "Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/s"}, "Ce-Type": {"t"}, "Ce-Subject": {`"a b"`}}
	events, err := ParseRequest(header, []byte("hi"))
	if err != nil || len(events) != 1 || events[0].Subject != "a b" || string(events[0].Data) != "hi" {
		t.Errorf("binary: %+v, %v", events, err)
	}
	header["Ce-Id"] = []string{"1", "2"}
	if _, err := ParseRequest(header, nil); !errors.Is(err, ErrEvent) {
		t.Errorf("an id twice: %v, want ErrEvent", err)
	}
	const event = `{"specversion":"1.0","id":"1","source":"/s","type":"t"}`
	for contentType, body := range map[string]string{TypeStructured + "; charset=utf-8": event, TypeBatch: "[" + event + "]"} {
		if events, err := ParseRequest(http.Header{"Content-Type": {contentType}}, []byte(body)); err != nil || len(events) != 1 {
			t.Errorf("%s: %v, %v", contentType, events, err)
		}
	}
	for _, contentType := range []string{"", "application/json", "application/cloudevents+avro"} {
		if _, err := ParseRequest(http.Header{"Content-Type": {contentType}}, []byte(event)); !errors.Is(err, ErrEvent) {
			t.Errorf("%q: %v, want ErrEvent", contentType, err)
		}
	}
}

// TestVectors: the conformance cases of the project, and examples of its
// specifications.
func TestVectors(t *testing.T) {
	t.Parallel()
	var all struct {
		HTTP []struct {
			Mode       string
			Headers    map[string]string
			Body       string
			Attributes map[string]string
			Data       any
		}
		Examples []json.RawMessage `json:"json_format_examples"`
		Percent  struct {
			Encode, Decode [][2]string
			Reject         []string
		} `json:"percent_encoding"`
		AMQP struct {
			Properties map[string]string
			Colon      map[string]string `json:"application_properties_colon"`
			Underscore map[string]string `json:"application_properties_underscore"`
		} `json:"amqp_binary"`
	}
	vectors.Load(t, "cloudevents/conformance.json", &all)
	if len(all.HTTP) == 0 || len(all.Examples) == 0 || len(all.Percent.Encode) == 0 {
		t.Fatal("vectors are missing")
	}
	for _, v := range all.HTTP {
		header := http.Header{}
		for name, value := range v.Headers {
			header.Set(name, value)
		}
		events, err := ParseRequest(header, []byte(v.Body))
		if err != nil {
			t.Errorf("%s: %v", v.Mode, err)
			continue
		}
		if got := maps.Collect(events[0].attributes); !maps.Equal(got, v.Attributes) {
			t.Errorf("%s: attributes are %v, want %v", v.Mode, got, v.Attributes)
		}
		var data any
		if err := json.Unmarshal(events[0].Data, &data); err != nil || !reflect.DeepEqual(data, v.Data) {
			t.Errorf("%s: data is %s, want %v", v.Mode, events[0].Data, v.Data)
		}
	}
	for _, text := range all.Examples {
		checkExample(t, text)
	}
	for _, pair := range all.Percent.Encode {
		if got := encodeHeader(pair[0]); got != pair[1] {
			t.Errorf("encode %q = %q, want %q", pair[0], got, pair[1])
		}
	}
	for _, pair := range all.Percent.Decode {
		if got, err := decodeHeader(pair[0]); err != nil || got != pair[1] {
			t.Errorf("decode %q = %q, %v, want %q", pair[0], got, err, pair[1])
		}
	}
	for _, value := range all.Percent.Reject {
		if got, err := decodeHeader(value); !errors.Is(err, ErrEvent) {
			t.Errorf("decode %q = %q, %v, want ErrEvent", value, got, err)
		}
	}
	for _, properties := range []map[string]string{all.AMQP.Colon, all.AMQP.Underscore} {
		event, err := amqpBinding.parse(properties, all.AMQP.Properties["content-type"], []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if got := amqpBinding.header(event); !maps.Equal(got, all.AMQP.Underscore) {
			t.Errorf("AMQP: %v, want %v", got, all.AMQP.Underscore)
		}
	}
}

// checkExample reads an example, writes it, and reads that.
func checkExample(t *testing.T, text []byte) {
	t.Helper()
	text = []byte(strings.ReplaceAll(string(text), "... base64 encoded string ...", "AAEC")) // an ellipsis of the specification's
	if text[0] == '[' {
		if _, err := ParseBatch(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		return
	}
	event, err := Parse(text)
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return
	}
	again, err := json.Marshal(event)
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return
	}
	var want, got map[string]any
	if err := errors.Join(json.Unmarshal(text, &want), json.Unmarshal(again, &got)); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(want, func(_ string, value any) bool { return value == nil })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("it was %v and is %v", want, got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2018-04-05T03:56:24Z","ext":5,"data":{"a":1}}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/xml","data":"<a/>"}`))
	f.Add([]byte(`[{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AAEC"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = ParseBatch(text)
		event, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrEvent) {
				t.Error(err)
			}
			return
		}
		again, err := event.MarshalJSON()
		if err != nil {
			t.Fatalf("it was read and is not written: %v", err)
		}
		second, err := Parse(again)
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if third, err := second.MarshalJSON(); err != nil || string(third) != string(again) {
			t.Errorf("%s is written as %s, %v", again, third, err)
		}
	})
}

func FuzzHeader(f *testing.F) {
	for _, value := range []string{"Euro%20%E2%82%AC", `"a \" b"`, "100%", "%C0%A0", "%", "\xff", `"`} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		text, err := decodeHeader(value)
		if err != nil {
			return
		}
		if again, err := decodeHeader(encodeHeader(text)); err != nil || again != text {
			t.Errorf("%q is read as %q and then %q, %v", value, text, again, err)
		}
	})
}

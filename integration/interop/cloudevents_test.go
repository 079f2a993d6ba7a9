package interop

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/cloudevents"
)

// TestCloudEvents: the SDK reads what we write, and we what it writes. Its binary
// mode neither writes nor reads the percent-encoding of the HTTP binding, so that
// there text is plain here.
func TestCloudEvents(t *testing.T) {
	t.Parallel()
	other := startPeer(t)
	for _, test := range []struct {
		format  wireformat.Format
		subject string
	}{{&cloudevents.Structured{}, `Euro € 😀 "q" 100%`}, {&cloudevents.Batch{}, `Euro € 😀 "q" 100%`}, {cloudevents.NewBinary(), "plain"}} {
		m := wireformat.Message{ContentType: "application/json", Payload: []byte(`{"a":[1,"é"]}`), Metadata: transport.Metadata{
			"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-subject": test.subject, "ce-ext1": "v", "ce-time": "2018-04-05T03:56:24Z",
		}}
		frame, err := test.format.Encode(t.Context(), profile.Default(), m, wireformat.Target{})
		if err != nil {
			t.Fatal(err)
		}
		header := map[string]string{"content-type": frame.ContentType}
		if test.format.Name() == cloudevents.NameBinary {
			maps.Copy(header, frame.Header)
		}
		var read struct{ Events []map[string]any }
		other.mustAsk(t, "cloudevents parse", map[string]any{"header": header, "body": string(frame.Body)}, &read)
		if len(read.Events) != 1 {
			t.Fatalf("%s: the peer reads %v", test.format.Name(), read.Events)
		}
		event := read.Events[0]
		for name, want := range map[string]any{"id": "1", "source": "/s", "type": "t", "subject": test.subject, "ext1": "v", "data": map[string]any{"a": []any{1.0, "é"}}} {
			if !reflect.DeepEqual(event[name], want) {
				t.Errorf("%s: the peer reads %s as %v, want %v", test.format.Name(), name, event[name], want)
			}
		}
	}
	for mode, subject := range map[string]string{"structured": `Euro € 😀 "q" 100%`, "binary": "plain"} {
		var written struct {
			Headers map[string]any
			Body    any
		}
		event := map[string]any{"id": "1", "source": "/s", "type": "t", "subject": subject, "ext1": "v", "data": map[string]any{"message": "Hello"}}
		other.mustAsk(t, "cloudevents emit", map[string]any{"mode": mode, "event": event}, &written)
		header := http.Header{}
		for name, value := range written.Headers {
			if text, ok := value.(string); ok {
				header.Set(name, text)
			}
		}
		body, ok := written.Body.(string)
		if !ok {
			raw, err := json.Marshal(written.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = string(raw)
		}
		events, err := cloudevents.ParseRequest(header, []byte(body))
		if err != nil || len(events) != 1 || events[0].Subject != subject || events[0].Extensions["ext1"] != "v" || string(events[0].Data) != `{"message":"Hello"}` {
			t.Errorf("%s: %v, %v", mode, events, err)
		}
	}
}

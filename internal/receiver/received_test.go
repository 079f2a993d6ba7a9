package receiver_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/receiver"
)

func TestReceivedAsJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name string
		r    receiver.Received
		want string
	}{
		{
			"text",
			receiver.Received{
				Scheme: "http", Method: "POST", Path: "/in", Query: "a=b", Headers: map[string]string{"A": "b"},
				ContentType: "text/plain", Payload: []byte("é\n"), ReceivedAt: at, Remote: "127.0.0.1:1",
			},
			`{"scheme":"http","method":"POST","path":"/in","query":"a=b","headers":{"A":"b"},"content_type":"text/plain",` +
				`"payload":"é\n","received_at":"2026-01-02T03:04:05Z","remote":"127.0.0.1:1"}`,
		},
		{
			"bytes",
			receiver.Received{Headers: map[string]string{}, Payload: []byte{0xff, 0}, ReceivedAt: at},
			`{"scheme":"","path":"","headers":{},"content_type":"",` +
				`"payload_base64":"/wA=","received_at":"2026-01-02T03:04:05Z","remote":""}`,
		},
		{
			"nothing",
			receiver.Received{Headers: map[string]string{}, Payload: []byte{}, ReceivedAt: at},
			`{"scheme":"","path":"","headers":{},"content_type":"",` +
				`"payload":"","received_at":"2026-01-02T03:04:05Z","remote":""}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			line, err := json.Marshal(test.r)
			if err != nil || string(line) != test.want {
				t.Fatalf("JSON is %s, %v; want %s", line, err, test.want)
			}
			var back receiver.Received
			if err := json.Unmarshal(line, &back); err != nil || !reflect.DeepEqual(back, test.r) {
				t.Errorf("read back %+v, %v; want %+v", back, err, test.r)
			}
		})
	}
}

func TestReceivedRefusesTwoPayloads(t *testing.T) {
	t.Parallel()
	var r receiver.Received
	err := json.Unmarshal([]byte(`{"payload":"a","payload_base64":"YQ=="}`), &r)
	if err == nil || !strings.Contains(err.Error(), "both") {
		t.Errorf("error is %v", err)
	}
}

func FuzzReceived(f *testing.F) {
	f.Add([]byte(`{"scheme":"http","headers":{"A":"b"},"payload":"x","received_at":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"payload_base64":"/wA="}`))
	f.Add([]byte(`{"payload_base64":null,"payload":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var first, second receiver.Received
		if json.Unmarshal(line, &first) != nil {
			return
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if err := json.Unmarshal(again, &second); err != nil {
			t.Fatalf("%s cannot be read: %v", again, err)
		}
		if string(first.Payload) != string(second.Payload) || !reflect.DeepEqual(first.Headers, second.Headers) {
			t.Errorf("read %+v and then %+v", first, second)
		}
	})
}

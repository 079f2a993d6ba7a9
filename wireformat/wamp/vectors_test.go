package wamp_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/internal/vectors"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// conformance is a file of the WAMP specification's test suite.
type conformance struct {
	Code    int `json:"wamp_message_code"`
	Samples []struct {
		Description string
		Serializers map[string][]struct {
			Hex string `json:"bytes_hex"`
		}
		Expected json.RawMessage            `json:"expected_attributes"`
		List     json.RawMessage            `json:"wmsg"`
		Error    *struct{ Contains string } `json:"expected_error"`
	}
}

func eachConformance(t *testing.T, visit func(name string, file conformance)) {
	t.Helper()
	var schema json.RawMessage
	vectors.Load(t, "wamp/SCHEMA.json", &schema) // skips where there are none
	root := os.DirFS(os.Getenv(vectors.Directory))
	files := 0
	err := fs.WalkDir(root, "wamp/singlemessage", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var file conformance
			vectors.Load(t, path, &file)
			visit(entry.Name(), file)
			files++
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
}

// wire returns the serializers that a name of the test suite stands for.
func wire(t *testing.T, name string) []*wamp.Serializer {
	t.Helper()
	var all []*wamp.Serializer
	add := func(s serializer.Serializer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		made, err := wamp.NewSerializer(s, wamp.SerializerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, made)
	}
	switch name {
	case "json":
		add(serializer.NewJSON(serializer.Limits{}))
	case "msgpack":
		add(serializer.NewMsgPack(serializer.Limits{}))
	case "cbor":
		add(serializer.NewCBOR(serializer.CBOROptions{}))
	case "ubjson":
		add(serializer.NewUBJSON(serializer.UBJSONOptions{}))
		add(serializer.NewUBJSON(serializer.UBJSONOptions{BJData: true}))
	}
	return all
}

// TestConformanceSerializers: the bytes of each serializer are read as the expected
// message, and what is written is read as the same. The test suite's flatbuffers
// are left out: that format is not built in.
func TestConformanceSerializers(t *testing.T) {
	t.Parallel()
	eachConformance(t, func(name string, file conformance) {
		for _, sample := range file.Samples {
			var all []wamp.Message
			for id, forms := range sample.Serializers {
				for i, form := range forms {
					encoded, err := hex.DecodeString(form.Hex)
					if err != nil {
						t.Fatal(err)
					}
					serializers := wire(t, id)
					if len(serializers) == 0 {
						continue
					}
					s := serializers[0]
					if id == "ubjson" {
						s = serializers[i]
					}
					all = append(all, conforms(t, name+" "+sample.Description+" "+id, s, encoded))
				}
			}
			for _, m := range all {
				if !reflect.DeepEqual(m, all[0]) {
					t.Errorf("%s: %s: it is not the same in all serializers: %#v and %#v", name, sample.Description, m, all[0])
				}
			}
			if len(all) > 0 {
				expect(t, name+" "+sample.Description, all[0], sample.Expected)
			}
		}
	})
}

// conforms reads a message and writes it again.
func conforms(t *testing.T, name string, s *wamp.Serializer, encoded []byte) wamp.Message {
	t.Helper()
	messages, err := s.Unserialize(encoded, s.Binary())
	if err != nil || len(messages) != 1 {
		t.Fatalf("%s: %v, %v", name, messages, err)
	}
	again, _, err := s.Serialize(nil, messages[0])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(again) != len(encoded) && s.ID() != "json" { // JSON comes with blanks too
		t.Errorf("%s is written as %x, want the length of %x", name, again, encoded)
	}
	other, err := s.Unserialize(again, s.Binary())
	if err != nil || !reflect.DeepEqual(other, messages) {
		t.Errorf("%s is written and read as %v, %v", name, other, err)
	}
	return messages[0]
}

// expect compares a message with the attributes that the test suite gives it. Its
// names differ from the specification's, which ours are.
func expect(t *testing.T, name string, m wamp.Message, expected json.RawMessage) {
	t.Helper()
	var want map[string]any
	if err := json.Unmarshal(expected, &want); err != nil {
		t.Fatal(err)
	}
	if code, _ := want["message_type"].(float64); wamp.Type(code) != m.Type() {
		t.Errorf("%s: the type is %v", name, m.Type())
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	ours := map[string]string{
		"request_id": "Request", "publication_id": "Publication", "publication": "Publication", "subscription": "Subscription",
		"subscription_id": "Subscription", "registration_id": "Registration", "session_id": "Session", "realm": "Realm",
		"topic": "Topic", "procedure": "Procedure", "reason": "Reason", "error": "Error", "signature": "Signature", "extra": "Extra",
		"method": "Method", "options": "Options", "details": "Details", "args": "Args", "kwargs": "Kwargs", "request_type": "RequestType",
	}
	for field, v := range want {
		switch field {
		case "message_type":
		case "roles":
			details, _ := got["Details"].(map[string]any)
			if !reflect.DeepEqual(details["roles"], v) {
				t.Errorf("%s: roles are %v, want %v", name, details["roles"], v)
			}
		case "payload":
			text, _ := v.(string)
			carrier, _ := m.(wamp.Carrier)
			payload, _ := carrier.Carries()
			if hex.EncodeToString(payload.Opaque) != text {
				t.Errorf("%s: the payload is %x, want %s", name, payload.Opaque, text)
			}
		default:
			if known := ours[field]; known == "" || !reflect.DeepEqual(got[known], v) {
				t.Errorf("%s: %s is %v, want %v", name, field, got[known], v)
			}
		}
	}
}

// TestConformanceValidation: options and details that are wrong are refused, and
// the error names the attribute.
func TestConformanceValidation(t *testing.T) {
	t.Parallel()
	s := wire(t, "json")[0]
	eachConformance(t, func(name string, file conformance) {
		for _, sample := range file.Samples {
			if sample.List == nil {
				continue
			}
			_, err := s.Unserialize(sample.List, false)
			if sample.Error == nil && err != nil ||
				sample.Error != nil && (!errors.Is(err, wamp.ErrProtocol) || !strings.Contains(err.Error(), sample.Error.Contains)) {
				t.Errorf("%s: %s: %v", name, sample.Description, err)
			}
		}
	})
}

// TestAutobahnCryptobox: what autobahn has encrypted is decrypted.
func TestAutobahnCryptobox(t *testing.T) {
	t.Parallel()
	type box struct {
		URI     string
		Args    []any
		Kwargs  map[string]any
		Payload string
	}
	var file struct {
		OriginatorPrivate string `json:"originator_private"`
		OriginatorPublic  string `json:"originator_public"`
		ResponderPrivate  string `json:"responder_private"`
		ResponderPublic   string `json:"responder_public"`
		To                box    `json:"originator_to_responder"`
		From              box    `json:"responder_to_originator"`
	}
	vectors.Load(t, "wamp/cryptobox.json", &file)
	originator, responder := new(wamp.KeyRing), new(wamp.KeyRing)
	if err := originator.Set("com.myapp.", wamp.CryptoboxKeys{
		OriginatorPrivate: transport.NewSecret(file.OriginatorPrivate), ResponderPublic: file.ResponderPublic,
	}); err != nil {
		t.Fatal(err)
	}
	if err := responder.Set("", wamp.CryptoboxKeys{
		ResponderPrivate: transport.NewSecret(file.ResponderPrivate), OriginatorPublic: file.OriginatorPublic,
	}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		ring *wamp.KeyRing
		role wamp.Role
		box  box
		args []any
		kw   map[string]any
	}{
		{responder, wamp.Responder, file.To, []any{"Hello", []byte{1, 2}}, map[string]any{"k": int64(1)}},
		{originator, wamp.Originator, file.From, []any{int64(23)}, nil},
	} {
		payload, err := hex.DecodeString(test.box.Payload)
		if err != nil {
			t.Fatal(err)
		}
		uri, got, err := test.ring.Decode(t.Context(), test.role, test.box.URI, &wamp.EncodedPayload{Payload: payload, Algo: "cryptobox", Serializer: "json"})
		if err != nil || uri != test.box.URI || !reflect.DeepEqual(got.Args, test.args) || !reflect.DeepEqual(got.Kwargs, test.kw) {
			t.Errorf("%s: %q %#v, %v", test.box.URI, uri, got, err)
		}
		again, err := test.ring.Encode(t.Context(), test.role, test.box.URI, got)
		if err != nil || again.Algo != "cryptobox" || again.Serializer != "json" {
			t.Errorf("%s: %v, %v", test.box.URI, again, err)
		}
	}
}

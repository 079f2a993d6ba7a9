package amqpjson

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/outrider-go/outrider/internal/vectors"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/wireformat"
)

// vector is a document, what Qpid Proton encodes it to, and what Proton reads
// there, with nothing abbreviated.
type vector struct {
	JSON json.RawMessage `json:"json"`
	AMQP string          `json:"amqp"`
	Hex  string          `json:"amqp_hex"` // the name in the folder of vectors
	Full json.RawMessage `json:"full"`
}

// TestProton: testdata/proton.json has every type, and what is special of each,
// as Proton 0.37 encodes and decodes it. integration has the script.
func TestProton(t *testing.T) {
	t.Parallel()
	var all []vector
	load(t, "testdata/proton.json", &all)
	for _, v := range all {
		v.check(t)
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	var file struct{ Vectors []vector }
	vectors.Load(t, "amqp-composite/vectors.json", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("there are no vectors")
	}
	for _, v := range file.Vectors {
		v.AMQP = v.Hex
		v.check(t)
	}
}

func TestInvalidVectors(t *testing.T) {
	t.Parallel()
	var file struct {
		Vectors []struct {
			JSON json.RawMessage
			Why  string
		}
	}
	vectors.Load(t, "amqp-composite/invalid.json", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("there are no vectors")
	}
	for _, v := range file.Vectors {
		if got, err := Read(v.JSON, value.Limits{}); err == nil {
			t.Errorf("%s was read as %#v: %s", v.JSON, got, v.Why)
		}
	}
}

func load(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// check encodes the document, its full form and its abbreviated form to Proton's
// bytes, and parses those to the full form and the abbreviated form.
func (v *vector) check(t *testing.T) {
	t.Helper()
	want, err := hex.DecodeString(v.AMQP)
	if err != nil {
		t.Fatal(err)
	}
	full := parse(t, want, true)
	short := parse(t, want, false)
	if !sameJSON(t, full, v.Full) {
		t.Errorf("%s parses to %s, want %s", v.AMQP, full, v.Full)
	}
	for _, document := range [][]byte{v.JSON, v.Full, full, short} {
		frame, err := new(Format).Encode(t.Context(), profile.Default(), wireformat.Message{Payload: document}, wireformat.Target{})
		if err != nil || !bytes.Equal(frame.Body, want) {
			t.Errorf("%s encodes to %x, %v; want %s", document, frame.Body, err, v.AMQP)
		}
	}
}

func parse(t *testing.T, encoded []byte, full bool) []byte {
	t.Helper()
	f, err := New(Options{Full: full})
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := f.Parse(t.Context(), profile.Default(), wireformat.Frame{ContentType: value.MediaType, Body: encoded})
	if err != nil {
		t.Errorf("%x: %v", encoded, err)
		return nil
	}
	return m.Payload
}

// sameJSON compares numbers by their text: no digit may be lost.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	for text, into := range map[*[]byte]*any{&a: &x, &b: &y} {
		decoder := json.NewDecoder(bytes.NewReader(*text))
		decoder.UseNumber()
		if err := decoder.Decode(into); err != nil {
			t.Errorf("%s: %v", *text, err)
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}

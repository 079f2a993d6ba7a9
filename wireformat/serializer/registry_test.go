package serializer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/wireformat/serializer"
)

func TestRegistryFindsByEachName(t *testing.T) {
	t.Parallel()
	registry, err := serializer.NewRegistry(serializer.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		find func() (serializer.Serializer, error)
		want string
	}{
		{"id", func() (serializer.Serializer, error) { return registry.ByID("cbor.batched") }, "cbor.batched"},
		{"media type", func() (serializer.Serializer, error) { return registry.ByMediaType(" Application/JSON; charset=utf-8") }, "json"},
		{"IANA's media type", func() (serializer.Serializer, error) { return registry.ByMediaType("application/vnd.msgpack") }, "msgpack"},
		{"sub-protocol", func() (serializer.Serializer, error) { return registry.BySubprotocol("wamp.2.ubjson") }, "ubjson"},
		{"number", func() (serializer.Serializer, error) { return registry.ByRawSocket(3) }, "cbor"},
	} {
		s, err := test.find()
		if err != nil || s.Info().ID != test.want {
			t.Errorf("%s: %v, %v", test.name, s, err)
		}
	}
}

func TestReservedAndUnknown(t *testing.T) {
	t.Parallel()
	registry, err := serializer.NewRegistry(serializer.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	_, byID := registry.ByID("flatbuffers")
	_, byNumber := registry.ByRawSocket(5)
	_, byProtocol := registry.BySubprotocol("wamp.2.flatbuffers")
	_, byMedia := registry.ByMediaType("application/x-flatbuffers")
	for _, err := range []error{byID, byNumber, byProtocol, byMedia} {
		if !errors.Is(err, serializer.ErrReserved) || !errors.Is(err, serializer.ErrUnknown) || !strings.Contains(err.Error(), "use cbor") {
			t.Errorf("error is %v", err)
		}
	}
	_, err = registry.ByID("cbro")
	if !errors.Is(err, serializer.ErrUnknown) || errors.Is(err, serializer.ErrReserved) || !strings.Contains(err.Error(), "there are cbor, cbor.batched, json") {
		t.Errorf("error is %v", err)
	}
}

func TestRegisterRefusesNamesThatAreTaken(t *testing.T) {
	t.Parallel()
	registry, err := serializer.NewRegistry(serializer.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	own := func(info serializer.Info) error {
		return registry.Register(renamed{byID()["json"], info})
	}
	for _, info := range []serializer.Info{
		{}, {ID: "json"}, {ID: "flatbuffers"},
		{ID: "a", Subprotocol: "wamp.2.json"}, {ID: "a", MediaTypes: []string{"Application/CBOR"}},
		{ID: "a", RawSocket: 3}, {ID: "a", RawSocket: 5},
	} {
		if err := own(info); !errors.Is(err, serializer.ErrDuplicate) {
			t.Errorf("%+v: %v", info, err)
		}
	}
	if err := own(serializer.Info{ID: "a", RawSocket: 16}); err == nil {
		t.Error("16 is taken as a RawSocket number")
	}
	if err := own(serializer.Info{ID: "a", Subprotocol: "wamp.2.a", RawSocket: 9, MediaTypes: []string{"application/a"}}); err != nil {
		t.Error(err)
	}
}

type renamed struct {
	serializer.Serializer
	info serializer.Info
}

func (r renamed) Info() serializer.Info { return r.info }

func TestBatches(t *testing.T) {
	t.Parallel()
	json := byID()["json"]
	for _, options := range []serializer.BatchedOptions{{Terminator: 'x'}, {MaxBytes: -1}, {MaxBatch: -1}} {
		if _, err := serializer.NewBatched(json, options); err == nil {
			t.Errorf("%+v is taken", options)
		}
	}
	small := must(serializer.NewBatched(json, serializer.BatchedOptions{MaxBytes: 10, MaxBatch: 2}))
	if _, err := serializer.NewBatched(small, serializer.BatchedOptions{}); err == nil {
		t.Error("a batch of batches is made")
	}
	for _, bad := range []string{"", "1", "1\x1e2", "\x1e", "1\x1e2\x1e3\x1e", "12345678901\x1e", "1\x1e[\x1e"} {
		if got, err := small.Unserialize([]byte(bad)); !errors.Is(err, serializer.ErrUnserialize) {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
	if got, err := small.Unserialize([]byte("1\x1e2\x18")); err != nil || !same(got, []any{int64(1), int64(2)}, false) {
		t.Errorf("%v, %v", got, err)
	}
	binary := must(serializer.NewBatched(byID()["cbor"], serializer.BatchedOptions{}))
	for _, bad := range []string{"\x00\x00\x00", "\x00\x00\x00\x02\x01", "\xff\xff\xff\xff\x01", "\x00\x00\x00\x00"} {
		if got, err := binary.Unserialize([]byte(bad)); !errors.Is(err, serializer.ErrUnserialize) {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

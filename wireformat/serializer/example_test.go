package serializer_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/outrider-go/outrider/wireformat/serializer"
)

// A value is written in one format and read in another, and stays the same.
func Example() {
	registry, err := serializer.NewRegistry(serializer.Builtin()...)
	if err != nil {
		log.Fatal(err)
	}
	type order struct {
		ID    string   `json:"id"`
		Count uint8    `json:"count"`
		Tags  []string `json:"tags,omitempty"`
		Seal  []byte   `json:"seal"`
	}
	cbor, err := registry.ByMediaType("application/cbor")
	if err != nil {
		log.Fatal(err)
	}
	encoded, err := cbor.Serialize(nil, order{ID: "17", Count: 3, Seal: []byte{1, 2}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%x\n", encoded)

	values, err := cbor.Unserialize(encoded)
	if err != nil {
		log.Fatal(err)
	}
	json, err := registry.BySubprotocol("wamp.2.json")
	if err != nil {
		log.Fatal(err)
	}
	encoded, err = json.Serialize(nil, values[0])
	fmt.Printf("%s %v\n", encoded, err)

	_, err = registry.ByID("flatbuffers")
	fmt.Println(errors.Is(err, serializer.ErrReserved))

	// Output:
	// a3626964623137647365616c42010265636f756e7403
	// {"count":3,"id":"17","seal":"\u0000AQI="} <nil>
	// true
}

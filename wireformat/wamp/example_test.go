package wamp_test

import (
	"fmt"
	"log"

	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// A message is encoded once for each serializer, however many peers it goes to.
func ExampleCached() {
	json, err := serializer.NewJSON(serializer.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	s, err := wamp.NewSerializer(json, wamp.SerializerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	event := wamp.Cache(&wamp.Event{Subscription: 7, Publication: 99, Payload: wamp.Payload{Args: []any{"hello"}}})
	for range 3 {
		b, binary, err := event.Serialize(s)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %v\n", b, binary)
	}
	messages, err := s.Unserialize([]byte(`[16,1,{"acknowledge":"yes"},"com.example.orders"]`), false)
	fmt.Println(messages, err)

	// Output:
	// [36,7,99,{},["hello"]] false
	// [36,7,99,{},["hello"]] false
	// [36,7,99,{},["hello"]] false
	// [] WAMP protocol violation: PUBLISH.Options.acknowledge: want true or false
}

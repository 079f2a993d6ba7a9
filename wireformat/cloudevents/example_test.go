package cloudevents_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/cloudevents"
)

// In binary mode the attributes are headers, which a receiver reads back.
func Example() {
	frame, err := cloudevents.NewBinary().Encode(context.Background(), profile.Default(), wireformat.Message{
		ContentType: "application/json",
		Payload:     []byte(`{"total":5}`),
		Metadata:    transport.Metadata{"ce-id": "1", "ce-source": "/orders", "ce-type": "order.created", "ce-subject": "café 7"},
	}, wireformat.Target{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(frame.Header["ce-subject"])

	header := http.Header{"Content-Type": {frame.ContentType}}
	for name, value := range frame.Header {
		header.Set(name, value)
	}
	events, err := cloudevents.ParseRequest(header, frame.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(events[0].Type, events[0].Subject, string(events[0].Data))
	// Output:
	// caf%C3%A9%207
	// order.created café 7 {"total":5}
}

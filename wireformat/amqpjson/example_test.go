package amqpjson_test

import (
	"fmt"
	"log"

	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/wireformat/amqpjson"
)

// A document becomes an AMQP value, and a value a document.
func Example() {
	v, err := amqpjson.Read([]byte(`{
		"descriptor": {"type": "symbol", "value": "example:reading"},
		"type": "map",
		"value": ["unit", "Fahrenheit", "value", {"type": "int", "value": -2}]
	}`), value.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	encoded, err := value.Encode(v)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes\n", len(encoded))

	document, err := amqpjson.Append(nil, v, false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", document)

	_, err = amqpjson.Read([]byte(`{"type": "list", "value": [null, 5]}`), value.Limits{})
	fmt.Println(err)

	// Output:
	// 54 bytes
	// {"descriptor":{"type":"symbol","value":"example:reading"},"type":"map","value":["unit","Fahrenheit","value",{"type":"int","value":-2}]}
	// value[1]: invalid AMQP value: only null, booleans and strings may be abbreviated: want {"type": …, "value": …}
}

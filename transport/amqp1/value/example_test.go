package value_test

import (
	"fmt"
	"log"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// Each Go type is one AMQP type, so that nothing is left to guess.
func Example() {
	encoded, err := value.Encode(value.List{value.Symbol("a"), value.String("a"), value.UInt(1), value.Char('é')})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%x\n", encoded)

	v, err := value.Decode(encoded)
	if err != nil {
		log.Fatal(err)
	}
	for _, element := range v.(value.List) {
		fmt.Println(element.Type())
	}

	annotations, err := value.NewAnnotationDict(value.Strict, value.Pair{Key: value.String("x-opt-a"), Value: value.Int(1)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(annotations.Set(value.Int(2), value.Null{}))

	// Output:
	// d00000001100000004a30161a10161520173000000e9
	// symbol
	// string
	// uint
	// char
	// invalid AMQP value: the key of an annotation is a int: want one of [symbol ulong]
}

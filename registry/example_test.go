package registry_test

import (
	"fmt"

	"github.com/outrider-go/outrider/registry"
)

func Example() {
	r := registry.New[string]()
	if err := r.Register("httpout", "the web driver", "http", "https"); err != nil {
		fmt.Println(err)
	}
	found, _ := r.Lookup("HTTPS")
	fmt.Println(found)
	_, err := r.Lookup("gopher")
	fmt.Println(err)
	fmt.Println(r.Register("mine", "another driver", "https"))
	// Output:
	// the web driver
	// unknown scheme "gopher": known are http, https
	// register "mine": duplicate scheme "https": "httpout" has it; unregister or replace that one
}

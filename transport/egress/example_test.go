package egress_test

import (
	"fmt"
	"net/netip"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
)

func ExampleCheckEndpoint() {
	endpoint, err := transport.ParseEndpoint("http://[::ffff:127.0.0.1]:8080/inbox")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(egress.CheckEndpoint(profile.Default(), endpoint))

	local, err := profile.New("local", profile.Options{Egress: profile.Egress{
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(egress.CheckEndpoint(local, endpoint))
	// Output:
	// ::ffff:127.0.0.1 is a loopback address, not a public address: add 127.0.0.0/8 to the profile's egress.allow_networks, or start with --allow-private
	// <nil>
}

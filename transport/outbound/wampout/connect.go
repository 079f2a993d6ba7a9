package wampout

import (
	"context"
	"net"

	"github.com/outrider-go/outrider/transport/egress"
)

// connect connects to a router, with TLS where its URL says so.
func connect(ctx context.Context, d *egress.Dialer, secured bool, network, address string) (net.Conn, error) {
	conn, err := d.Connect(ctx, network, address)
	if err != nil || !secured {
		return conn, err
	}
	encrypted, err := d.Handshake(ctx, conn, address, "http/1.1")
	if err != nil {
		return nil, err // not a nil *tls.Conn in an interface
	}
	return encrypted, nil
}

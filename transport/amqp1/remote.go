package amqp1

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/outrider-go/outrider/transport/egress"
)

// Remote is a peer and how to connect to it. Links to equal remotes share
// connections.
type Remote struct {
	// Dialer makes the connections of the profile. Required.
	Dialer *egress.Dialer
	// Address is the peer's host and port. Required.
	Address string
	// TLS secures the connection, as the profile says.
	TLS bool
	// Hostname is what the peer is asked for: a virtual host. Default: the host of
	// Address.
	Hostname string
	// ContainerID names us. Default: the container's own name, the same for all.
	ContainerID string
	// Credentials say who we are.
	Credentials Credentials
	// Tenant keeps the connections of one tenant apart from those of others.
	Tenant string
}

func (r Remote) validate() error {
	var faults []error
	if r.Dialer == nil {
		faults = append(faults, errors.New("the dialer is missing"))
	}
	if host, port, err := net.SplitHostPort(r.Address); err != nil || host == "" || port == "" {
		faults = append(faults, errors.New("the address is not a host and a port"))
	}
	if err := r.Credentials.Validate(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// key is equal for remotes that share connections. It holds no secret.
func (r Remote) key() string {
	c := r.Credentials
	sum := sha256.Sum256([]byte(strings.Join([]string{
		c.Username, c.AuthorizationID, c.Password.Reveal(), c.Token.Reveal(), strings.Join(c.Mechanisms, ","),
		fmt.Sprint(c.AllowInsecure, c.NoSASL),
	}, "\x00")))
	return fmt.Sprintf("%p %s %t %q %q %q %s", r.Dialer, r.Address, r.TLS, r.Hostname, r.ContainerID, r.Tenant, hex.EncodeToString(sum[:16]))
}

// hostname is what the peer is asked for.
func (r Remote) hostname() string {
	if r.Hostname != "" {
		return r.Hostname
	}
	host, _, _ := net.SplitHostPort(r.Address)
	return host
}

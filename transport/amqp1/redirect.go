package amqp1

import (
	"errors"
	"net"
	"strconv"

	"github.com/Azure/go-amqp"
)

// redirect is where a peer says that the node is now (part 2, sections 2.8.16 and
// 2.8.18).
type redirect struct {
	hostname, address, node string
}

// redirectOf returns where an error of go-amqp's leads, nil where it does not.
func redirectOf(err error) *redirect {
	said, ok := errors.AsType[*amqp.Error](err)
	if !ok || said.Condition != amqp.ErrCondLinkRedirect && said.Condition != amqp.ErrCondConnectionRedirect {
		return nil
	}
	host, _ := said.Info["network-host"].(string)
	port, known := said.Info["port"].(uint16)
	r := &redirect{}
	r.hostname, _ = said.Info["hostname"].(string)
	r.node, _ = said.Info["address"].(string)
	if host == "" || !known {
		return nil
	}
	r.address = net.JoinHostPort(host, strconv.Itoa(int(port)))
	return r
}

// follow returns the remote and the target after a redirect. How the connection is
// secured, and what the profile may reach, stay as they are.
func (r *redirect) follow(remote Remote, target Target) (Remote, Target) {
	remote.Address = r.address
	if r.hostname != "" {
		remote.Hostname = r.hostname
	}
	if r.node != "" && target.Address != "" {
		target.Address = r.node
	}
	return remote, target
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/egress"
)

// Probe is what connecting to an AMQP peer has shown.
type Probe struct {
	OK       bool   `json:"ok"`
	Endpoint string `json:"endpoint"` // redacted
	Node     string `json:"node,omitempty"`
	// Phases are how long the steps took that were made, in milliseconds, in order.
	Phases []ProbePhase `json:"phases"`

	Address      string            `json:"address,omitempty"`
	TLS          string            `json:"tls,omitempty"` // version and cipher suite
	Fingerprint  string            `json:"certificate_sha256,omitempty"`
	SASL         string            `json:"sasl,omitempty"` // the mechanism
	ContainerID  string            `json:"container_id,omitempty"`
	Properties   map[string]string `json:"properties,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty"`
	MaxFrameSize uint32            `json:"max_frame_size,omitempty"`
	ChannelMax   uint16            `json:"channel_max,omitempty"`
	IdleTimeout  string            `json:"idle_timeout,omitempty"`

	Credit         int    `json:"credit"`
	MaxMessageSize uint64 `json:"max_message_size,omitempty"` // 0: any

	// Error is what failed, and Advice what to do about it.
	Error  string `json:"error,omitempty"`
	Advice string `json:"advice,omitempty"`
}

// ProbePhase is a step of connecting.
type ProbePhase struct {
	Name string  `json:"name"`
	MS   float64 `json:"ms"`
}

// ProbeAMQP connects to an AMQP peer as a profile of the agent would, attaches a
// link to the node of the endpoint, and says what it has seen. It sends no message.
// The agent need not be started. The error is about the endpoint or the profile;
// what is wrong with the peer is in the probe.
func (a *Agent) ProbeAMQP(ctx context.Context, profileID string, endpoint transport.Endpoint) (Probe, error) {
	tenant, err := a.profiles.Lookup(ctx, profileID)
	if err != nil {
		return Probe{}, err
	}
	uri, err := amqp1.ParseURI(tenant, endpoint)
	if err != nil {
		return Probe{}, err
	}
	p := Probe{Endpoint: endpoint.String(), Node: uri.Node, Phases: []ProbePhase{}}
	observe := func(phase string, took time.Duration) {
		p.Phases = append(p.Phases, ProbePhase{phase, float64(took) / float64(time.Millisecond)})
	}
	if uri.Remote.Dialer, err = egress.New(tenant, egress.Options{Observe: observe}); err != nil {
		return Probe{}, err
	}
	container, err := amqp1.New(amqp1.Options{Observe: observe})
	if err != nil {
		return Probe{}, err
	}
	attached, err := probe(ctx, container, uri)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), hardStopWait)
	defer cancel()
	closeErr := container.Close(ending)
	if err == nil {
		p.show(&attached)
		return p, closeErr
	}
	p.Error, p.Advice = err.Error(), adviceOn(err)
	return p, closeErr
}

// probe attaches a link. Without an address it is one to the anonymous node.
func probe(ctx context.Context, container *amqp1.Container, uri amqp1.URI) (amqp1.Attachment, error) {
	sender, err := container.Sender(uri.Remote, amqp1.Target{Address: uri.Node})
	if err != nil {
		return amqp1.Attachment{}, err
	}
	return sender.Attach(ctx)
}

func (p *Probe) show(attached *amqp1.Attachment) {
	peer := attached.Peer
	p.OK, p.Credit, p.MaxMessageSize = true, attached.Credit, attached.MaxMessageSize
	p.Address, p.Fingerprint, p.SASL, p.ContainerID = peer.Address, peer.Fingerprint, peer.Mechanism, peer.ContainerID
	p.Capabilities, p.MaxFrameSize, p.ChannelMax = peer.OfferedCapabilities, peer.MaxFrameSize, peer.ChannelMax
	if peer.TLSVersion != "" {
		p.TLS = peer.TLSVersion + " " + peer.CipherSuite
	}
	if peer.IdleTimeout > 0 {
		p.IdleTimeout = peer.IdleTimeout.String()
	}
	for name, value := range peer.Properties {
		if p.Properties == nil {
			p.Properties = map[string]string{}
		}
		p.Properties[name] = fmt.Sprint(value)
	}
	if p.Credit == 0 {
		p.Advice = "the node takes no messages now: messages would wait until it gives credit"
	}
}

// adviceOn says what to do about what failed.
func adviceOn(err error) string {
	if blocked, ok := errors.AsType[*egress.BlockedError](err); ok {
		return "the profile may not connect to it: " + blocked.Error()
	}
	if _, ok := errors.AsType[*amqp1.ProtocolError](err); ok {
		return "ask the broker for its AMQP 1.0 port, or turn AMQP 1.0 on there (in RabbitMQ 3: the plugin rabbitmq_amqp1_0); AMQP 0-9-1 is another protocol"
	}
	for _, known := range []struct {
		is     error
		advice string
	}{
		{amqp1.ErrSASL, "check user name, password and mechanisms: amqp.username, amqp.password and amqp.sasl of the profile, or those of the URI. Passwords go only over TLS, or to this machine"},
		{amqp1.ErrRefused, "the broker let us in, and does not want a link to this node: check the address, and what the user may do"},
		{amqp1.ErrProtocol, "the peer does not speak AMQP 1.0: check the port"},
		{amqp1.ErrUnreachable, "no connection came up: check host and port, that the broker runs, and for amqps its certificate (tls.ca_file of the profile)"},
		{amqp1.ErrStalled, "the peer does not answer: check that this is its AMQP port, and that it is not overloaded"},
	} {
		if errors.Is(err, known.is) {
			return known.advice
		}
	}
	return ""
}

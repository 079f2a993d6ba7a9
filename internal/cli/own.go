package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// ownStopWait is how long an agent of a command's own may take to stop.
const ownStopWait = 10 * time.Second

// ownAgent is an agent that lives no longer than its command. It is used as a daemon is: through its API, on a free port of this
// machine and with a token that only this process knows.
type ownAgent struct {
	*agent.Agent
	client *client.Client
	halt   context.CancelFunc
}

// deliveryOnly is what a command's own agent takes from the configuration of a
// daemon: how to deliver. What it received, or kept for a peer that comes later,
// would be lost with the command; and it writes nothing to the daemon's directory.
func deliveryOnly(config agent.Config) agent.Config {
	config.Memory, config.Encryption = true, agent.EncryptionConfig{}
	config.API, config.Inbound = agent.APIConfig{Listen: agent.ListenOff}, agent.InboundConfig{}
	config.Profiles = maps.Clone(config.Profiles)
	for id, options := range config.Profiles {
		options.Pickup = profile.Pickup{}
		config.Profiles[id] = options
	}
	return config
}

// startOwn starts an agent. The end of ctx does not stop it; stop does.
func startOwn(ctx context.Context, config agent.Config) (*ownAgent, error) {
	token := transport.NewSecret(rand.Text())
	config.API = agent.APIConfig{Listen: "127.0.0.1:0", Token: token}
	a, err := agent.New(config, agent.Options{})
	if err != nil {
		return nil, err
	}
	base, halt := context.WithCancel(context.WithoutCancel(ctx))
	if err := a.Start(base); err != nil {
		halt()
		return nil, err
	}
	own := &ownAgent{Agent: a, halt: halt}
	own.client, err = client.New("http://"+a.Addr(), token)
	if err != nil {
		return nil, errors.Join(err, own.stop(ctx))
	}
	return own, nil
}

// stop ends attempts that are under way: nobody waits for them any more.
func (o *ownAgent) stop(ctx context.Context) error {
	o.halt()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ownStopWait)
	defer cancel()
	if o.client != nil {
		o.client.Close()
	}
	_, err := o.Stop(ctx)
	return err
}

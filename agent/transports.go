package agent

import (
	"cmp"
	"time"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
	"github.com/outrider-go/outrider/transport/outbound/wsout"
)

// openTransports registers the drivers.
func (a *Agent) openTransports() error {
	httpOptions := a.config.HTTP.options()
	httpOptions.Logger, httpOptions.OnReply = a.log, a.onReply
	http, err := httpout.New(httpOptions)
	if err != nil {
		return err
	}
	wsOptions := a.config.WS.options()
	wsOptions.Logger, wsOptions.OnState, wsOptions.OnFrame = a.log, a.tellWS, a.answers.receive
	wsOptions.MaxInboundBytes = cmp.Or(int(a.config.Inbound.MaxMessageBytes), inbound.DefaultMaxMessageBytes)
	ws, err := wsout.New(wsOptions)
	if err != nil {
		return err
	}
	wamp, err := wampout.New(wampout.Options{Logger: a.log})
	if err != nil {
		return err
	}
	amqp, err := amqpout.New(amqpout.Options{Logger: a.log, OnState: a.tellAMQP})
	if err != nil {
		return err
	}
	for _, driver := range []outbound.Transport{http, ws, amqp, wamp} {
		if err := a.manager.Register(driver); err != nil {
			return err
		}
	}
	return nil
}

func (a *Agent) tellWS(s wsout.State) {
	a.tellConnection(s.Connected, outbound.ConnectionEvent{
		Transport: "ws", Profile: s.Profile.ID(), Endpoint: s.Endpoint.String(), Code: s.Code,
	})
}

func (a *Agent) tellAMQP(s amqpout.State) {
	a.tellConnection(s.Connected, outbound.ConnectionEvent{
		Transport: "amqp", Profile: s.Profile, Endpoint: s.Endpoint, Code: s.Code,
	})
}

// tellConnection publishes that a connection is up, or gone.
func (a *Agent) tellConnection(connected bool, e outbound.ConnectionEvent) {
	topic := outbound.TopicDisconnected
	if connected {
		topic = outbound.TopicConnected
	}
	a.events.Publish(a.config.TopicPrefix+topic, e)
}

// WSConfig is how to deliver over WebSocket. Zero values are the driver's defaults.
type WSConfig struct {
	Mode            string        // shared or single (ws.mode)
	Ack             string        // none, ping or reply (ws.ack)
	AckPointer      string        // where a reply has the id (ws.ack_pointer)
	Connections     int           // of one profile to one destination (ws.connections)
	MaxConnsPerHost int           // of one profile (ws.max_conns_per_host)
	IdleTimeout     time.Duration // of a connection (ws.idle_timeout)
	PingInterval    time.Duration // (ws.ping_interval)
	Compression     bool          // offer it to peers (ws.compression)
}

// options are the driver's, without a logger.
func (c WSConfig) options() wsout.Options {
	return wsout.Options{
		Mode: wsout.Mode(c.Mode), Ack: wsout.Ack(c.Ack), AckPointer: c.AckPointer,
		Connections: c.Connections, MaxConnsPerHost: c.MaxConnsPerHost,
		IdleTimeout: c.IdleTimeout, PingInterval: c.PingInterval, Compression: c.Compression,
	}
}

// validate asks the driver about each option by itself.
func (c WSConfig) validate() (faults []error) {
	for _, field := range []struct {
		key string
		WSConfig
	}{
		{"ws.mode", WSConfig{Mode: c.Mode}},
		{"ws.ack", WSConfig{Ack: c.Ack}},
		{"ws.ack_pointer", WSConfig{AckPointer: c.AckPointer}},
		{"ws.connections", WSConfig{Connections: c.Connections, MaxConnsPerHost: c.MaxConnsPerHost}},
		{"ws.max_conns_per_host", WSConfig{MaxConnsPerHost: c.MaxConnsPerHost}},
		{"ws.idle_timeout", WSConfig{IdleTimeout: c.IdleTimeout}},
		{"ws.ping_interval", WSConfig{PingInterval: c.PingInterval}},
	} {
		if _, err := wsout.New(field.options()); err != nil {
			faults = append(faults, &KeyError{field.key, err})
		}
	}
	return faults
}

package cli

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/wsin"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
	"github.com/outrider-go/outrider/transport/outbound/wsout"
)

// setting is one key of a configuration and its value, as a file would have it.
type setting struct {
	path  []string
	value any // text, a number, a truth value or a list of texts
}

// settings collects those that have a value.
type settings []setting

func (s *settings) add(value any, path ...string) {
	if v := reflect.ValueOf(value); v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 {
		return
	}
	if v, ok := value.(fmt.Stringer); ok { // a duration, or a secret, which hides itself
		value = v.String()
	}
	*s = append(*s, setting{path, value})
}

// settingsOf lists the keys that have a value, be it by default, in the order of the documentation.
func settingsOf(config agent.Config) settings {
	var s settings
	dir, _ := agent.DefaultDir() // serve tells when it needs one
	s.add(cmp.Or(config.Dir, dir), "dir")
	s = append(s, setting{[]string{"memory"}, config.Memory})
	s.add(config.API.Listen, "api", "listen")
	s.add(config.API.Token, "api", "token")
	s.add(config.API.AllowedHosts, "api", "allowed_hosts")
	s.add(config.Encryption.Key, "encryption", "key")
	s.add(config.Encryption.SealedOnly, "encryption", "sealed_only")
	s = append(s, setting{[]string{"allow_private"}, config.AllowPrivate})
	s.add(cmp.Or(config.Workers, outbound.DefaultWorkers), "workers")
	s.add(cmp.Or(config.LaneConcurrency, outbound.DefaultLaneConcurrency), "lane_concurrency")
	s.add(cmp.Or(config.AttemptTimeout, outbound.DefaultAttemptTimeout), "attempt_timeout")
	s.add(config.LaneRate.PerSecond, "lane_rate", "per_second")
	s.add(config.LaneRate.Burst, "lane_rate", "burst")
	s.addBreaker(config)
	s.add(config.Retry, "retry")
	s.add(config.MaxMessages, "max_messages")
	s.add(config.MaxBytes, "max_bytes")
	s.add(config.MaxMessageBytes, "max_message_bytes")
	s.add(config.IdempotencyLifetime, "idempotency_lifetime")
	s.add(config.ShutdownTimeout, "shutdown_timeout")
	s.add(config.TopicPrefix, "topic_prefix")
	s.add(config.Log.Level, "log", "level")
	s.add(config.Log.Format, "log", "format")
	s.addHTTP(config.HTTP)
	s.addInbound(config.Inbound)
	s.addWS(config.WS)
	s.addRetention(config.Retain)
	for _, id := range slices.Sorted(maps.Keys(config.Profiles)) {
		s.addProfile(id, config.Profiles[id])
	}
	return s
}

func (s *settings) addHTTP(h agent.HTTPConfig) {
	s.add(cmp.Or(h.MaxConnsPerHost, httpout.DefaultMaxConnsPerHost), "http", "max_conns_per_host")
	s.add(cmp.Or(h.MaxIdleConns, httpout.DefaultMaxIdleConns), "http", "max_idle_conns")
	s.add(cmp.Or(h.MessageIDHeader, httpout.DefaultMessageIDHeader), "http", "message_id_header")
	s.add(cmp.Or(h.UserAgent, httpout.DefaultUserAgent), "http", "user_agent")
}

func (s *settings) addWS(ws agent.WSConfig) {
	s.add(cmp.Or(ws.Mode, string(wsout.Shared)), "ws", "mode")
	s.add(cmp.Or(ws.Ack, string(wsout.AckNone)), "ws", "ack")
	s.add(ws.AckPointer, "ws", "ack_pointer")
	s.add(cmp.Or(ws.Connections, wsout.DefaultConnections), "ws", "connections")
	s.add(cmp.Or(ws.MaxConnsPerHost, wsout.DefaultMaxConnsPerHost), "ws", "max_conns_per_host")
	s.add(cmp.Or(ws.IdleTimeout, wsout.DefaultIdleTimeout), "ws", "idle_timeout")
	s.add(cmp.Or(ws.PingInterval, wsout.DefaultPingInterval), "ws", "ping_interval")
	*s = append(*s, setting{[]string{"ws", "compression"}, ws.Compression})
}

// addBreaker lists what is done about destinations that fail.
func (s *settings) addBreaker(config agent.Config) {
	s.add(cmp.Or(config.Breaker.Failures, outbound.DefaultBreakerFailures), "breaker", "failures")
	coolOff := cmp.Or(config.Breaker.CoolOff, outbound.DefaultCoolOff)
	s.add(coolOff, "breaker", "cool_off")
	s.add(cmp.Or(config.Breaker.MaxCoolOff, max(outbound.DefaultMaxCoolOff, coolOff)), "breaker", "max_cool_off")
	*s = append(*s, setting{[]string{"breaker", "disabled"}, config.Breaker.Disabled})
	if config.FailureBudget < 0 {
		s.add(agent.Never, "failure_budget")
	} else {
		s.add(cmp.Or(config.FailureBudget, outbound.DefaultFailureBudget), "failure_budget")
	}
}

// addRetention lists how long done messages are kept. Zero does not limit, and
// is a value too.
func (s *settings) addRetention(retain map[queue.Result]outbound.Retain) {
	if retain == nil {
		retain = outbound.DefaultRetain()
	}
	for _, result := range slices.Sorted(maps.Keys(retain)) {
		kept := retain[result]
		*s = append(*s,
			setting{[]string{"retain", string(result), "age"}, kept.Age.String()},
			setting{[]string{"retain", string(result), "count"}, kept.Count})
		if result != queue.Delivered {
			*s = append(*s, setting{[]string{"retain", string(result), "bytes"}, kept.Bytes})
		}
	}
}

func (s *settings) addInbound(in agent.InboundConfig) {
	s.add(in.Listen, "inbound", "listen")
	s.add(texts(in.From), "inbound", "from")
	s.add(in.HandlerInForce(), "inbound", "handler")
	s.add(in.Forward, "inbound", "forward")
	s.add(in.TLS.CertFile, "inbound", "tls", "cert_file")
	s.add(in.TLS.KeyFile, "inbound", "tls", "key_file")
	s.add(in.TLS.ClientCAFile, "inbound", "tls", "client_ca_file")
	s.add(in.TLS.ClientOptional, "inbound", "tls", "client_optional")
	s.add(in.AllowedOrigins, "inbound", "allowed_origins")
	s.add(in.AllowedHosts, "inbound", "allowed_hosts")
	s.add(in.Subprotocols, "inbound", "subprotocols")
	s.add(cmp.Or(in.Concurrency, wsin.DefaultConcurrency), "inbound", "concurrency")
	s.add(cmp.Or(in.MaxMessageBytes, inbound.DefaultMaxMessageBytes), "inbound", "max_message_bytes")
	s.add(cmp.Or(in.MaxSessions, inbound.DefaultMaxSessions), "inbound", "max_sessions")
	s.add(in.MaxSessionsPerProfile, "inbound", "max_sessions_per_profile")
}

func (s *settings) addProfile(id string, o profile.Options) {
	add := func(value any, path ...string) { s.add(value, append([]string{"profiles", id}, path...)...) }
	add(cmp.Or(o.Name, id), "name")
	for _, name := range slices.Sorted(maps.Keys(o.Settings)) {
		add(o.Settings[name], "settings", name)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Secrets)) {
		add(o.Secrets[name], "secrets", name)
	}
	add(o.KeyFile.Path, "keys", "file")
	add(o.KeyFile.Passphrase, "keys", "passphrase")
	add(texts(o.Egress.AllowNetworks), "egress", "allow_networks")
	add(texts(o.Egress.AllowPorts), "egress", "allow_ports")
	add(o.Egress.Proxy, "egress", "proxy")
	add(o.TLS.CAFile, "tls", "ca_file")
	add(o.TLS.CertFile, "tls", "cert_file")
	add(o.TLS.KeyFile, "tls", "key_file")
	add(o.TLS.ServerName, "tls", "server_name")
	add(o.TLS.InsecureSkipVerify, "tls", "insecure_skip_verify")
	add(o.Limits.MaxMessageBytes, "limits", "max_message_bytes")
	add(o.Limits.RatePerDestination, "limits", "rate_per_destination")
	add(o.Limits.BurstPerDestination, "limits", "burst_per_destination")
	add(o.Limits.MaxMessages, "limits", "max_messages")
	add(o.Limits.MaxBytes, "limits", "max_bytes")
	add(o.Limits.MaxDestinations, "limits", "max_destinations")
	add(o.Limits.MaxRate, "limits", "max_rate")
	add(o.Limits.Burst, "limits", "burst")
	add(o.Limits.MaxPickupMessages, "limits", "max_pickup_messages")
	add(o.Limits.MaxPickupBytes, "limits", "max_pickup_bytes")
	add(o.Pickup.Enabled, "pickup", "enabled")
	add(o.Pickup.Exhausted, "pickup", "exhausted")
	add(o.Pickup.TTL, "pickup", "ttl")
	add(o.Inbound.Keys, "inbound", "keys")
	for _, name := range slices.Sorted(maps.Keys(o.Inbound.Tokens)) {
		add(o.Inbound.Tokens[name], "inbound", "tokens", name)
	}
	add(o.Inbound.Certificates, "inbound", "certificates")
	add(o.Inbound.Paths, "inbound", "paths")
	add(o.Route, "route")
	add(o.Retry, "retry")
	add(o.WireFormat, "wire_format")
	add(o.MinEvidence, "min_evidence")
}

func texts[T any](values []T) []string {
	list := make([]string, len(values))
	for i, value := range values {
		list[i] = fmt.Sprint(value)
	}
	return list
}

// nested makes an object of objects, as a configuration file has it.
func nested(all settings) map[string]any {
	root := map[string]any{}
	for _, s := range all {
		object := root
		for _, name := range s.path[:len(s.path)-1] {
			below, ok := object[name].(map[string]any)
			if !ok {
				below = map[string]any{}
				object[name] = below
			}
			object = below
		}
		object[s.path[len(s.path)-1]] = s.value
	}
	return root
}

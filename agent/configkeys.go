package agent

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// key is one key of a configuration: its name and how to put a value from a
// file, a variable or a flag into what it configures.
type key[T any] struct {
	name string
	set  func(*T, any) error
	// separators stand between the entries of a list that is one text, that of a
	// variable. Empty: it is no list.
	separators string
}

// keyOf makes the key of a field.
func keyOf[T, V any](name string, read func(any) (V, error), field func(*T) *V) key[T] {
	return key[T]{name: name, set: func(target *T, value any) error {
		v, err := read(value)
		if err == nil {
			*field(target) = v
		}
		return err
	}}
}

// listOf makes the key of a field that is a list.
func listOf[T, V any](name, separators string, read func(any) (V, error), field func(*T) *[]V) key[T] {
	k := keyOf(name, readList(read), field)
	k.separators = separators
	return k
}

// parse returns the value of a variable as a file would have it.
func (k key[T]) parse(text string) any {
	if k.separators == "" {
		return text
	}
	var entries []any
	for _, entry := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(k.separators, r) }) {
		entries = append(entries, entry)
	}
	return entries
}

// results are the results in the order in which people think of them.
var results = []queue.Result{queue.Delivered, queue.Dead, queue.Expired, queue.Cancelled}

// What stands between the entries of a list. A URI may have commas.
const (
	betweenNames = ", \t\n"
	betweenURIs  = " \t\n"
)

// configKeys lists the keys of a config, but for profiles.
func configKeys(s secretReader) []key[Config] {
	keys := []key[Config]{
		keyOf("dir", readText, func(c *Config) *string { return &c.Dir }),
		keyOf("memory", readBool, func(c *Config) *bool { return &c.Memory }),
		keyOf("api.listen", readText, func(c *Config) *string { return &c.API.Listen }),
		keyOf("api.token", s.read, func(c *Config) *transport.Secret { return &c.API.Token }),
		keyOf("api.token_file", s.readFile, func(c *Config) *transport.Secret { return &c.API.Token }),
		listOf("api.allowed_hosts", betweenNames, readText, func(c *Config) *[]string { return &c.API.AllowedHosts }),
		keyOf("encryption.key", s.readMaster, func(c *Config) *transport.Secret { return &c.Encryption.Key }),
		keyOf("encryption.key_file", s.readMasterFile, func(c *Config) *transport.Secret { return &c.Encryption.Key }),
		keyOf("encryption.sealed_only", readBool, func(c *Config) *bool { return &c.Encryption.SealedOnly }),
		keyOf("allow_private", readBool, func(c *Config) *bool { return &c.AllowPrivate }),
		keyOf("workers", readCount[int], func(c *Config) *int { return &c.Workers }),
		keyOf("lane_concurrency", readCount[int], func(c *Config) *int { return &c.LaneConcurrency }),
		keyOf("attempt_timeout", readWait, func(c *Config) *time.Duration { return &c.AttemptTimeout }),
		keyOf("lane_rate.per_second", readRate, func(c *Config) *float64 { return &c.LaneRate.PerSecond }),
		keyOf("lane_rate.burst", readCount[int], func(c *Config) *int { return &c.LaneRate.Burst }),
		keyOf("breaker.failures", readCount[int], func(c *Config) *int { return &c.Breaker.Failures }),
		keyOf("breaker.cool_off", readWait, func(c *Config) *time.Duration { return &c.Breaker.CoolOff }),
		keyOf("breaker.max_cool_off", readWait, func(c *Config) *time.Duration { return &c.Breaker.MaxCoolOff }),
		keyOf("breaker.disabled", readBool, func(c *Config) *bool { return &c.Breaker.Disabled }),
		keyOf("failure_budget", readBudget, func(c *Config) *time.Duration { return &c.FailureBudget }),
		keyOf("retry", readText, func(c *Config) *string { return &c.Retry }),
		keyOf("max_messages", readCount[int64], func(c *Config) *int64 { return &c.MaxMessages }),
		keyOf("max_bytes", readBytes, func(c *Config) *int64 { return &c.MaxBytes }),
		keyOf("max_message_bytes", readBytes, func(c *Config) *int64 { return &c.MaxMessageBytes }),
		keyOf("idempotency_lifetime", readWait, func(c *Config) *time.Duration { return &c.IdempotencyLifetime }),
		keyOf("shutdown_timeout", readWait, func(c *Config) *time.Duration { return &c.ShutdownTimeout }),
		keyOf("topic_prefix", readText, func(c *Config) *string { return &c.TopicPrefix }),
		keyOf("log.level", readText, func(c *Config) *string { return &c.Log.Level }),
		keyOf("log.format", readText, func(c *Config) *string { return &c.Log.Format }),
		keyOf("http.max_conns_per_host", readCount[int], func(c *Config) *int { return &c.HTTP.MaxConnsPerHost }),
		keyOf("http.max_idle_conns", readCount[int], func(c *Config) *int { return &c.HTTP.MaxIdleConns }),
		keyOf("http.message_id_header", readText, func(c *Config) *string { return &c.HTTP.MessageIDHeader }),
		keyOf("http.user_agent", readText, func(c *Config) *string { return &c.HTTP.UserAgent }),
		listOf("inbound.listen", betweenNames, readText, func(c *Config) *[]string { return &c.Inbound.Listen }),
		listOf("inbound.from", betweenURIs, s.readEndpoint, func(c *Config) *[]transport.Endpoint { return &c.Inbound.From }),
		keyOf("inbound.handler", readText, func(c *Config) *string { return &c.Inbound.Handler }),
		keyOf("inbound.forward", s.readEndpoint, func(c *Config) *transport.Endpoint { return &c.Inbound.Forward }),
		keyOf("inbound.tls.cert_file", readText, func(c *Config) *string { return &c.Inbound.TLS.CertFile }),
		keyOf("inbound.tls.key_file", readText, func(c *Config) *string { return &c.Inbound.TLS.KeyFile }),
		keyOf("inbound.tls.client_ca_file", readText, func(c *Config) *string { return &c.Inbound.TLS.ClientCAFile }),
		keyOf("inbound.tls.client_optional", readBool, func(c *Config) *bool { return &c.Inbound.TLS.ClientOptional }),
		listOf("inbound.allowed_origins", betweenNames, readText, func(c *Config) *[]string { return &c.Inbound.AllowedOrigins }),
		listOf("inbound.allowed_hosts", betweenNames, readText, func(c *Config) *[]string { return &c.Inbound.AllowedHosts }),
		listOf("inbound.subprotocols", betweenNames, readText, func(c *Config) *[]string { return &c.Inbound.Subprotocols }),
		keyOf("inbound.concurrency", readCount[int], func(c *Config) *int { return &c.Inbound.Concurrency }),
		keyOf("inbound.max_message_bytes", readBytes, func(c *Config) *int64 { return &c.Inbound.MaxMessageBytes }),
		keyOf("inbound.max_sessions", readCount[int], func(c *Config) *int { return &c.Inbound.MaxSessions }),
		keyOf("inbound.max_sessions_per_profile", readCount[int], func(c *Config) *int { return &c.Inbound.MaxSessionsPerProfile }),
		keyOf("ws.mode", readText, func(c *Config) *string { return &c.WS.Mode }),
		keyOf("ws.ack", readText, func(c *Config) *string { return &c.WS.Ack }),
		keyOf("ws.ack_pointer", readText, func(c *Config) *string { return &c.WS.AckPointer }),
		keyOf("ws.connections", readCount[int], func(c *Config) *int { return &c.WS.Connections }),
		keyOf("ws.max_conns_per_host", readCount[int], func(c *Config) *int { return &c.WS.MaxConnsPerHost }),
		keyOf("ws.idle_timeout", readWait, func(c *Config) *time.Duration { return &c.WS.IdleTimeout }),
		keyOf("ws.ping_interval", readWait, func(c *Config) *time.Duration { return &c.WS.PingInterval }),
		keyOf("ws.compression", readBool, func(c *Config) *bool { return &c.WS.Compression }),
	}
	for _, result := range results {
		keys = append(keys,
			retainKey(result, "age", readAge, func(r *outbound.Retain) *time.Duration { return &r.Age }),
			retainKey(result, "count", readLimit, func(r *outbound.Retain) *int { return &r.Count }))
		if result != queue.Delivered { // which count no bytes
			keys = append(keys, retainKey(result, "bytes", readBytesLimit, func(r *outbound.Retain) *int64 { return &r.Bytes }))
		}
	}
	return keys
}

// retainKey is a key of one result's retention. What is not set keeps its
// default.
func retainKey[V any](result queue.Result, name string, read func(any) (V, error), field func(*outbound.Retain) *V) key[Config] {
	return key[Config]{name: "retain." + string(result) + "." + name, set: func(c *Config, value any) error {
		v, err := read(value)
		if err != nil {
			return err
		}
		if c.Retain == nil {
			c.Retain = outbound.DefaultRetain()
		}
		retain := c.Retain[result]
		*field(&retain) = v
		c.Retain[result] = retain
		return nil
	}}
}

// profileKeys lists the keys of one profile.
func profileKeys(s secretReader) []key[profile.Options] {
	return []key[profile.Options]{
		keyOf("name", readText, func(o *profile.Options) *string { return &o.Name }),
		keyOf("settings", readMap(readSetting), func(o *profile.Options) *map[string]string { return &o.Settings }),
		keyOf("secrets", readMap(s.read), func(o *profile.Options) *map[string]transport.Secret { return &o.Secrets }),
		keyOf("keys.file", readText, func(o *profile.Options) *string { return &o.KeyFile.Path }),
		keyOf("keys.passphrase", s.read, func(o *profile.Options) *transport.Secret { return &o.KeyFile.Passphrase }),
		keyOf("egress.allow_networks", readList(readNetwork), func(o *profile.Options) *[]netip.Prefix { return &o.Egress.AllowNetworks }),
		keyOf("egress.allow_ports", readList(readPort), func(o *profile.Options) *[]uint16 { return &o.Egress.AllowPorts }),
		keyOf("egress.proxy", s.read, func(o *profile.Options) *transport.Secret { return &o.Egress.Proxy }),
		keyOf("tls.ca_file", readText, func(o *profile.Options) *string { return &o.TLS.CAFile }),
		keyOf("tls.cert_file", readText, func(o *profile.Options) *string { return &o.TLS.CertFile }),
		keyOf("tls.key_file", readText, func(o *profile.Options) *string { return &o.TLS.KeyFile }),
		keyOf("tls.server_name", readText, func(o *profile.Options) *string { return &o.TLS.ServerName }),
		keyOf("tls.insecure_skip_verify", readBool, func(o *profile.Options) *bool { return &o.TLS.InsecureSkipVerify }),
		keyOf("limits.max_message_bytes", readBytes, func(o *profile.Options) *int64 { return &o.Limits.MaxMessageBytes }),
		keyOf("limits.rate_per_destination", readRate, func(o *profile.Options) *float64 { return &o.Limits.RatePerDestination }),
		keyOf("limits.burst_per_destination", readCount[int], func(o *profile.Options) *int { return &o.Limits.BurstPerDestination }),
		keyOf("limits.max_messages", readCount[int64], func(o *profile.Options) *int64 { return &o.Limits.MaxMessages }),
		keyOf("limits.max_bytes", readBytes, func(o *profile.Options) *int64 { return &o.Limits.MaxBytes }),
		keyOf("limits.max_destinations", readCount[int64], func(o *profile.Options) *int64 { return &o.Limits.MaxDestinations }),
		keyOf("limits.max_rate", readRate, func(o *profile.Options) *float64 { return &o.Limits.MaxRate }),
		keyOf("limits.burst", readCount[int64], func(o *profile.Options) *int64 { return &o.Limits.Burst }),
		keyOf("limits.max_pickup_messages", readCount[int64], func(o *profile.Options) *int64 { return &o.Limits.MaxPickupMessages }),
		keyOf("limits.max_pickup_bytes", readBytes, func(o *profile.Options) *int64 { return &o.Limits.MaxPickupBytes }),
		keyOf("pickup.enabled", readBool, func(o *profile.Options) *bool { return &o.Pickup.Enabled }),
		keyOf("pickup.exhausted", readBool, func(o *profile.Options) *bool { return &o.Pickup.Exhausted }),
		keyOf("pickup.ttl", readWait, func(o *profile.Options) *time.Duration { return &o.Pickup.TTL }),
		keyOf("inbound.keys", readList(readText), func(o *profile.Options) *[]string { return &o.Inbound.Keys }),
		keyOf("inbound.tokens", readMap(s.read), func(o *profile.Options) *map[string]transport.Secret { return &o.Inbound.Tokens }),
		keyOf("inbound.certificates", readList(readText), func(o *profile.Options) *[]string { return &o.Inbound.Certificates }),
		keyOf("inbound.paths", readList(readText), func(o *profile.Options) *[]string { return &o.Inbound.Paths }),
		keyOf("route", s.readEndpoint, func(o *profile.Options) *transport.Endpoint { return &o.Route }),
		keyOf("retry", readText, func(o *profile.Options) *string { return &o.Retry }),
		keyOf("wire_format", readText, func(o *profile.Options) *string { return &o.WireFormat }),
		keyOf("min_evidence", readEvidence, func(o *profile.Options) *transport.Evidence { return &o.MinEvidence }),
	}
}

// readText takes text only: what YAML reads as a number may have been written
// otherwise, as 1.10 or 0123.
func readText(value any) (string, error) {
	if text, ok := value.(string); ok {
		return text, nil
	}
	return "", errors.New("want text: write it in quotes")
}

// readSetting is readText, and takes true and false.
func readSetting(value any) (string, error) {
	if b, ok := value.(bool); ok {
		return strconv.FormatBool(b), nil
	}
	return readText(value)
}

func readBool(value any) (bool, error) {
	b, err := strconv.ParseBool(fmt.Sprint(value))
	if err != nil {
		return false, errors.New("want true or false")
	}
	return b, nil
}

// readCount takes a whole number from 1.
func readCount[V int | int64](value any) (V, error) {
	n, err := strconv.ParseInt(fmt.Sprint(value), 10, 64)
	if err != nil || n < 1 || int64(V(n)) != n {
		return 0, errors.New("want a whole number, at least 1")
	}
	return V(n), nil
}

// readRate takes a number per second, above zero.
func readRate(value any) (float64, error) {
	rate, err := strconv.ParseFloat(fmt.Sprint(value), 64)
	if err != nil || !(rate > 0) || math.IsInf(rate, 1) {
		return 0, errors.New("want a number per second above zero, such as 50 or 0.5")
	}
	return rate, nil
}

func readEvidence(value any) (e transport.Evidence, err error) {
	text, err := readText(value)
	if err == nil {
		err = e.UnmarshalText([]byte(text))
	}
	return e, err
}

// readLimit takes a whole number from 0, which does not limit.
func readLimit(value any) (int, error) {
	n, err := strconv.Atoi(fmt.Sprint(value))
	if err != nil || n < 0 {
		return 0, errors.New("want a whole number; 0 does not limit")
	}
	return n, nil
}

var byteUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// readBytes takes a number of bytes from 1, such as 65536 or 64KiB.
func readBytes(value any) (int64, error) {
	text, unit := fmt.Sprint(value), int64(1)
	for _, u := range byteUnits {
		if number, ok := strings.CutSuffix(text, u.suffix); ok {
			text, unit = strings.TrimSpace(number), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/unit {
		return 0, errors.New("want a number of bytes, at least 1, such as 65536 or 64KiB")
	}
	return n * unit, nil
}

// readBytesLimit is readBytes, and takes 0, which does not limit.
func readBytesLimit(value any) (int64, error) {
	if fmt.Sprint(value) == "0" {
		return 0, nil
	}
	n, err := readBytes(value)
	if err != nil {
		return 0, errors.New("want a number of bytes such as 65536 or 64KiB; 0 does not limit")
	}
	return n, nil
}

// readWait takes a duration above zero.
func readWait(value any) (time.Duration, error) {
	d, err := time.ParseDuration(fmt.Sprint(value))
	if err != nil || d <= 0 {
		return 0, errors.New("want a duration such as 30s or 5m")
	}
	return d, nil
}

// Never is the failure_budget that has no limit.
const Never = "never"

// readBudget takes a duration above zero, or Never.
func readBudget(value any) (time.Duration, error) {
	if fmt.Sprint(value) == Never {
		return -1, nil
	}
	d, err := readWait(value)
	if err != nil {
		return 0, errors.New("want a duration such as 120h, or " + Never)
	}
	return d, nil
}

// readAge takes a duration, where zero does not limit.
func readAge(value any) (time.Duration, error) {
	d, err := time.ParseDuration(fmt.Sprint(value))
	if err != nil || d < 0 {
		return 0, errors.New("want a duration such as 720h; 0 does not limit")
	}
	return d, nil
}

func readNetwork(value any) (netip.Prefix, error) {
	text := fmt.Sprint(value)
	if network, err := netip.ParsePrefix(text); err == nil {
		return network.Masked(), nil
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr.WithZone(""), addr.BitLen()), nil
	}
	return netip.Prefix{}, errors.New("want networks such as 10.0.0.0/8, or addresses")
}

func readPort(value any) (uint16, error) {
	n, err := strconv.ParseUint(fmt.Sprint(value), 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("want ports, 1 to 65535")
	}
	return uint16(n), nil
}

// readList takes a list, or one value in place of a list of one.
func readList[V any](read func(any) (V, error)) func(any) ([]V, error) {
	return func(value any) ([]V, error) {
		values, ok := value.([]any)
		if !ok {
			values = []any{value}
		}
		list := make([]V, len(values))
		for i, value := range values {
			v, err := read(value)
			if err != nil {
				return nil, fmt.Errorf("entry %d: %w", i+1, err)
			}
			list[i] = v
		}
		return list, nil
	}
}

// entryErrors are the faults of a map's entries. The decoder puts the map's own
// name in front of each.
type entryErrors []*KeyError

func (e entryErrors) Error() string {
	faults := make([]error, len(e))
	for i, fault := range e {
		faults[i] = fault
	}
	return errors.Join(faults...).Error()
}

// readMap takes named values. Its error is an entryErrors, where there is one.
func readMap[V any](read func(any) (V, error)) func(any) (map[string]V, error) {
	return func(value any) (map[string]V, error) {
		values, ok := value.(map[string]any)
		if !ok {
			return nil, errors.New("want names with values")
		}
		all := make(map[string]V, len(values))
		var faults entryErrors
		for _, name := range sortedKeys(values) {
			v, err := read(values[name])
			if err != nil {
				faults = append(faults, &KeyError{name, err})
			}
			all[name] = v
		}
		if len(faults) > 0 {
			return nil, faults
		}
		return all, nil
	}
}

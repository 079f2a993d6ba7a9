package agent

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/ingress"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
	"github.com/outrider-go/outrider/wireformat"
)

// Defaults of [Config], where the packages below have none of their own.
const (
	DefaultListen          = "127.0.0.1:8480"
	DefaultShutdownTimeout = 30 * time.Second
	DefaultIdempotency     = 24 * time.Hour
	DefaultLogLevel        = "info"
	DefaultLogFormat       = "json"
)

// ListenOff is the api.listen of an agent that has no HTTP API.
const ListenOff = "off"

// Config is what an agent is made of. The zero value is an agent with all
// defaults; [LoadConfig] fills one from a file, the environment and flags. The
// comments name the key of each field.
type Config struct {
	// Dir is where the agent keeps the queue (dir). Default: DefaultDir.
	Dir string
	// Memory keeps the queue in memory, to be lost with the process (memory).
	// Default: in Dir.
	Memory bool
	// API is how the HTTP API is served (api.*).
	API APIConfig
	// Encryption is how messages are encrypted in the store (encryption.*).
	Encryption EncryptionConfig
	// AllowPrivate lets the default profile reach addresses that are not public
	// (allow_private). Default: public ones only.
	AllowPrivate bool

	// Workers is the number of attempts at once (workers). Default:
	// outbound.DefaultWorkers.
	Workers int
	// LaneConcurrency is the number of attempts at once to one destination of one
	// profile (lane_concurrency). Default: outbound.DefaultLaneConcurrency.
	LaneConcurrency int
	// LaneRate bounds how often one destination of one profile is attempted
	// (lane_rate.per_second, lane_rate.burst). Default: any number.
	LaneRate outbound.Rate
	// AttemptTimeout bounds one attempt (attempt_timeout). Default:
	// outbound.DefaultAttemptTimeout.
	AttemptTimeout time.Duration
	// Breaker says when a destination that fails is left alone (breaker.failures,
	// breaker.cool_off, breaker.max_cool_off, breaker.disabled). Default: that of
	// package outbound.
	Breaker outbound.Breaker
	// FailureBudget is how long all attempts to a destination may fail before it is
	// paused (failure_budget, where "never" is no limit). Negative is no limit.
	// Default: outbound.DefaultFailureBudget.
	FailureBudget time.Duration
	// Retry is the text of the retry policy of profiles that have none (retry).
	// Default: "standard".
	Retry string
	// MaxMessages and MaxBytes bound what waits in the queue (max_messages,
	// max_bytes). Default: those of package outbound.
	MaxMessages, MaxBytes int64
	// MaxMessageBytes bounds one encoded payload (max_message_bytes). Default:
	// outbound.DefaultMaxMessageBytes.
	MaxMessageBytes int64
	// Retain says how long and how many done messages are kept (retain.<result>.age,
	// retain.<result>.count and, but for delivered ones, which have no payload any
	// more, retain.<result>.bytes). Default: outbound.DefaultRetain.
	Retain map[queue.Result]outbound.Retain
	// IdempotencyLifetime is how long an idempotency key is known after its message
	// was accepted, whether or not the message is still kept
	// (idempotency_lifetime). It is the agent's own store's. Default: 24 h.
	IdempotencyLifetime time.Duration
	// TopicPrefix begins every event topic (topic_prefix). Default: empty.
	TopicPrefix string
	// ShutdownTimeout is how long Stop lets attempts go on before it cuts them
	// short, and twice as long as what is being received may go on
	// (shutdown_timeout). Default: 30 s.
	ShutdownTimeout time.Duration

	// Log is how to log (log.*).
	Log LogConfig
	// HTTP is how to deliver over HTTP (http.*).
	HTTP HTTPConfig
	// Inbound is what comes in (inbound.*).
	Inbound InboundConfig
	// WS is how to deliver over WebSocket (ws.*).
	WS WSConfig
	// Profiles by id (profiles). Default: the default profile alone.
	Profiles map[string]profile.Options
}

// APIConfig is how the HTTP API is served.
type APIConfig struct {
	// Listen is a host and port, or ListenOff for no API (api.listen). Default:
	// DefaultListen.
	Listen string
	// Token is the bearer token that requests must carry (api.token, or
	// api.token_file to read it from a file). Required unless Listen is a
	// loopback address. Default: none.
	Token transport.Secret
	// AllowedHosts are names by which the API may be called where there is no token,
	// beside localhost and IP addresses (api.allowed_hosts). Default: none.
	AllowedHosts []string
}

// LogConfig is how to log.
type LogConfig struct {
	Level  string // debug, info, warn or error (log.level). Default: info
	Format string // json or console (log.format). Default: json
}

// HTTPConfig is how to deliver over HTTP. Zero values are the driver's defaults.
type HTTPConfig struct {
	MaxConnsPerHost int    // of one profile (http.max_conns_per_host)
	MaxIdleConns    int    // of one profile, over all hosts (http.max_idle_conns)
	MessageIDHeader string // that carries the message's id (http.message_id_header)
	UserAgent       string // of every request (http.user_agent)
}

// KeyError says which key of a configuration is wrong and what to do. It never
// repeats a value that may be secret.
type KeyError struct {
	Key string // "api.listen"; a variable's name, where that is wrong
	Err error
}

func (e *KeyError) Error() string { return fmt.Sprintf("%s: %v", e.Key, e.Err) }

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// withDefaults returns the config with the defaults that the packages below do
// not know themselves.
func (c Config) withDefaults() Config {
	if c.API.Listen == "" {
		c.API.Listen = DefaultListen
	}
	if c.ShutdownTimeout == 0 {
		c.ShutdownTimeout = DefaultShutdownTimeout
	}
	if c.IdempotencyLifetime == 0 {
		c.IdempotencyLifetime = DefaultIdempotency
	}
	if c.MaxMessages == 0 {
		c.MaxMessages = outbound.DefaultMaxMessages
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = outbound.DefaultMaxBytes
	}
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = outbound.DefaultMaxMessageBytes
	}
	if c.Log.Level == "" {
		c.Log.Level = DefaultLogLevel
	}
	if c.Log.Format == "" {
		c.Log.Format = DefaultLogFormat
	}
	if c.Retry == "" {
		c.Retry = "standard"
	}
	return c
}

// Validate reports everything that is wrong, each fault as a [*KeyError].
func (c Config) Validate() error {
	formats, err := Formats()
	if err != nil {
		return err
	}
	return c.validate(formats)
}

// validate is Validate for an agent with these wire formats.
func (c Config) validate(formats *wireformat.Registry) error {
	c = c.withDefaults()
	faults := append([]error{c.API.validate()}, c.validateNumbers()...)
	if _, err := outbound.ParseRetryPolicy(c.Retry); err != nil {
		faults = append(faults, &KeyError{"retry", err})
	}
	if strings.ContainsFunc(c.TopicPrefix, isControl) {
		faults = append(faults, &KeyError{"topic_prefix", errors.New("has a control character")})
	}
	if level, err := zapcore.ParseLevel(c.Log.Level); err != nil || level > zapcore.ErrorLevel {
		faults = append(faults, &KeyError{"log.level", fmt.Errorf("%q is not a level: want debug, info, warn or error", c.Log.Level)})
	}
	if c.Log.Format != "json" && c.Log.Format != "console" {
		faults = append(faults, &KeyError{"log.format", fmt.Errorf("%q is not a format: want json or console", c.Log.Format)})
	}
	faults = append(faults, c.Encryption.validate(c.Memory)...)
	faults = append(faults, c.HTTP.validate()...)
	faults = append(faults, c.Inbound.validate()...)
	faults = append(faults, c.WS.validate()...)
	faults = append(faults, c.validateProfiles(formats)...)
	return errors.Join(faults...)
}

func (c Config) validateNumbers() (faults []error) {
	for _, field := range []struct {
		key   string
		value int64
	}{
		{"workers", int64(c.Workers)},
		{"lane_concurrency", int64(c.LaneConcurrency)},
		{"attempt_timeout", int64(c.AttemptTimeout)},
		{"max_messages", c.MaxMessages},
		{"max_bytes", c.MaxBytes},
		{"max_message_bytes", c.MaxMessageBytes},
		{"idempotency_lifetime", int64(c.IdempotencyLifetime)},
		{"shutdown_timeout", int64(c.ShutdownTimeout)},
		{"lane_rate.burst", int64(c.LaneRate.Burst)},
		{"breaker.failures", int64(c.Breaker.Failures)},
		{"breaker.cool_off", int64(c.Breaker.CoolOff)},
		{"breaker.max_cool_off", int64(c.Breaker.MaxCoolOff)},
	} {
		if field.value < 0 {
			faults = append(faults, &KeyError{field.key, errors.New("is negative")})
		}
	}
	if err := c.LaneRate.Validate(); err != nil && c.LaneRate.Burst >= 0 {
		faults = append(faults, &KeyError{"lane_rate.per_second", err})
	}
	if longest := c.Breaker.MaxCoolOff; longest > 0 && longest < cmp.Or(c.Breaker.CoolOff, outbound.DefaultCoolOff) {
		faults = append(faults, &KeyError{"breaker.max_cool_off", errors.New("is shorter than breaker.cool_off")})
	}
	for result, retain := range c.Retain {
		key := "retain." + string(result)
		if !slices.Contains(results, result) {
			faults = append(faults, &KeyError{key, errors.New("is not a result: want " + joinOr(results))})
		}
		if retain.Age < 0 || retain.Count < 0 || retain.Bytes < 0 {
			faults = append(faults, &KeyError{key, errors.New("is negative")})
		}
	}
	return faults
}

// validate checks where the API listens, and that it is not open to the world.
func (c APIConfig) validate() error {
	if c.Listen == ListenOff {
		return nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port == "" || strings.ContainsAny(port, "/.") { // such as a Unix socket's path
		return &KeyError{"api.listen", fmt.Errorf("%q is not an address: write it as host:port, such as %s", c.Listen, DefaultListen)}
	}
	if c.Token.IsZero() && !isLoopback(host) {
		return &KeyError{"api.token", fmt.Errorf(
			"is missing: whoever reaches %s could use the API; set api.token or api.token_file, or listen on %s", c.Listen, DefaultListen)}
	}
	if strings.ContainsFunc(c.Token.Reveal(), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return &KeyError{"api.token", errors.New("has a character that a header cannot carry: use letters, digits and punctuation")}
	}
	if err := ingress.Hosts(c.AllowedHosts).Validate(); err != nil {
		return &KeyError{"api.allowed_hosts", err}
	}
	return nil
}

// options are the driver's, without a logger.
func (c HTTPConfig) options() httpout.Options {
	return httpout.Options{
		MaxConnsPerHost: c.MaxConnsPerHost, MaxIdleConns: c.MaxIdleConns,
		MessageIDHeader: c.MessageIDHeader, UserAgent: c.UserAgent,
	}
}

// validate asks the driver about each option by itself.
func (c HTTPConfig) validate() (faults []error) {
	for _, field := range []struct {
		key string
		HTTPConfig
	}{
		{"http.max_conns_per_host", HTTPConfig{MaxConnsPerHost: c.MaxConnsPerHost}},
		{"http.max_idle_conns", HTTPConfig{MaxIdleConns: c.MaxIdleConns}},
		{"http.message_id_header", HTTPConfig{MessageIDHeader: c.MessageIDHeader}},
		{"http.user_agent", HTTPConfig{UserAgent: c.UserAgent}},
	} {
		if _, err := httpout.New(field.options()); err != nil {
			faults = append(faults, &KeyError{field.key, err})
		}
	}
	return faults
}

// isLoopback reports a host that only this machine reaches.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

package agent

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "config.yaml", "workers: 10\nlane_concurrency: 20\nattempt_timeout: 30s\nlog:\n  level: warn\n  format:\n")
	config, err := LoadConfig(Sources{
		File:  file,
		Env:   []string{"OUTRIDER_LANE_CONCURRENCY=21", "OUTRIDER_ATTEMPT_TIMEOUT=31s", "OUTRIDER_LOG_FORMAT=", "HOME=/nowhere", "OUTRIDER_SERVER=x"},
		Flags: map[string]any{"attempt_timeout": 32 * time.Second, "allow_private": true},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		API: APIConfig{Listen: DefaultListen}, AllowPrivate: true,
		Workers: 10, LaneConcurrency: 21, AttemptTimeout: 32 * time.Second, Retry: "standard",
		MaxMessages: outbound.DefaultMaxMessages, MaxBytes: outbound.DefaultMaxBytes, MaxMessageBytes: outbound.DefaultMaxMessageBytes,
		IdempotencyLifetime: DefaultIdempotency,
		ShutdownTimeout:     DefaultShutdownTimeout, Log: LogConfig{Level: "warn", Format: "json"},
	}
	if !reflect.DeepEqual(config, want) {
		t.Errorf("got  %+v\nwant %+v", config, want)
	}
}

func TestFailureBudgetNever(t *testing.T) {
	t.Parallel()
	config, err := LoadConfig(Sources{Env: []string{"OUTRIDER_FAILURE_BUDGET=never"}})
	if err != nil || config.FailureBudget >= 0 {
		t.Errorf("got %v, %v, want no limit", config.FailureBudget, err)
	}
}

func TestLoadConfigReadsEveryKey(t *testing.T) {
	t.Parallel()
	tokenFile := writeFile(t, "token", "from-file\n")
	masterKey := strings.Repeat("5eC2e7", 10) + "abcd"
	file := writeFile(t, "config.yaml", `
dir: data
api:
  listen: 0.0.0.0:9000
  token: env:API_TOKEN
  allowed_hosts: queue.example
encryption: {key: "file:`+writeFile(t, "master", masterKey)+`", sealed_only: true}
allow_private: true
workers: 3
lane_concurrency: 2
attempt_timeout: 5s
lane_rate: {per_second: 0.5, burst: 9}
breaker: {failures: 4, cool_off: 6s, max_cool_off: 7m, disabled: true}
failure_budget: 36h
retry: exponential,attempts=3
max_messages: 100
max_bytes: 1GiB
max_message_bytes: 64 KiB
idempotency_lifetime: 2h
shutdown_timeout: 1m
topic_prefix: "acme::"
log: {level: debug, format: console}
inbound:
  listen: ["ws://127.0.0.1:8020"]
  from: amqp://user:pass@broker.example/in
  handler: drop
  allowed_origins: https://app.example.com
  allowed_hosts: [inbox.example.com, devbox]
  concurrency: 5
http:
  max_conns_per_host: 7
  max_idle_conns: 8
  message_id_header: X-Message-Id
  user_agent: acme/1
retain:
  dead: {age: 48h, count: 0, bytes: 64 MiB}
  expired: {bytes: 0}
profiles:
  tenant.one:2:
    name: Tenant one
    settings: {colour: red, http.permanent_4xx: true}
    secrets: {signing: "file:`+tokenFile+`", other: plain}
    keys: {file: keys.json, passphrase: "file:`+tokenFile+`"}
    egress:
      allow_networks: [10.0.0.0/8, 192.0.2.1]
      allow_ports: 443
      proxy: http://user:pass@proxy.example:3128
    tls: {server_name: inner.example}
    limits: {max_message_bytes: 1MiB, rate_per_destination: 2, burst_per_destination: 3, max_messages: 5, max_bytes: 6MiB, max_destinations: 7, max_rate: 0.5, burst: 8, max_pickup_messages: 9, max_pickup_bytes: 10KiB}
    pickup: {enabled: true, exhausted: true, ttl: 24h}
    route: amqp://user:pass@broker.example/out
    retry: none
    wire_format: json
    min_evidence: acknowledged
  empty:
`)
	config, err := LoadConfig(Sources{File: file, Env: []string{"API_TOKEN=from-env"}})
	if err != nil {
		t.Fatal(err)
	}
	route, err := transport.ParseEndpoint("amqp://user:pass@broker.example/out")
	if err != nil {
		t.Fatal(err)
	}
	from, err := transport.ParseEndpoint("amqp://user:pass@broker.example/in")
	if err != nil {
		t.Fatal(err)
	}
	retain := outbound.DefaultRetain()
	retain[queue.Dead] = outbound.Retain{Age: 48 * time.Hour, Bytes: 64 << 20}
	expired := retain[queue.Expired]
	expired.Bytes = 0
	retain[queue.Expired] = expired
	want := Config{
		Dir: "data", API: APIConfig{Listen: "0.0.0.0:9000", Token: transport.NewSecret("from-env"), AllowedHosts: []string{"queue.example"}}, AllowPrivate: true,
		Encryption: EncryptionConfig{Key: transport.NewSecret(masterKey), SealedOnly: true},
		Workers:    3, LaneConcurrency: 2, AttemptTimeout: 5 * time.Second, Retry: "exponential,attempts=3",
		LaneRate:      outbound.Rate{PerSecond: 0.5, Burst: 9},
		Breaker:       outbound.Breaker{Failures: 4, CoolOff: 6 * time.Second, MaxCoolOff: 7 * time.Minute, Disabled: true},
		FailureBudget: 36 * time.Hour,
		MaxMessages:   100, MaxBytes: 1 << 30, MaxMessageBytes: 64 << 10, Retain: retain, TopicPrefix: "acme::",
		IdempotencyLifetime: 2 * time.Hour,
		ShutdownTimeout:     time.Minute, Log: LogConfig{Level: "debug", Format: "console"},
		HTTP: HTTPConfig{MaxConnsPerHost: 7, MaxIdleConns: 8, MessageIDHeader: "X-Message-Id", UserAgent: "acme/1"},
		Inbound: InboundConfig{
			Listen: []string{"ws://127.0.0.1:8020"}, From: []transport.Endpoint{from}, Handler: HandlerDrop, AllowedOrigins: []string{"https://app.example.com"},
			AllowedHosts: []string{"inbox.example.com", "devbox"}, Concurrency: 5,
		},
		Profiles: map[string]profile.Options{
			"tenant.one:2": {
				Name:     "Tenant one",
				Settings: map[string]string{"colour": "red", "http.permanent_4xx": "true"},
				Secrets:  map[string]transport.Secret{"signing": transport.NewSecret("from-file"), "other": transport.NewSecret("plain")},
				KeyFile:  profile.KeyFile{Path: "keys.json", Passphrase: transport.NewSecret("from-file")},
				Egress: profile.Egress{
					AllowNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")},
					AllowPorts:    []uint16{443}, Proxy: transport.NewSecret("http://user:pass@proxy.example:3128"),
				},
				TLS: profile.TLS{ServerName: "inner.example"}, Limits: profile.Limits{
					MaxMessageBytes: 1 << 20, MaxMessages: 5, MaxBytes: 6 << 20, MaxDestinations: 7, MaxRate: 0.5, Burst: 8,
					RatePerDestination: 2, BurstPerDestination: 3, MaxPickupMessages: 9, MaxPickupBytes: 10 << 10,
				},
				Retry: "none", WireFormat: "json", MinEvidence: transport.Acknowledged,
				Pickup: profile.Pickup{Enabled: true, Exhausted: true, TTL: 24 * time.Hour}, Route: route,
			},
			"empty": {},
		},
	}
	if !reflect.DeepEqual(config, want) {
		t.Errorf("got  %+v\nwant %+v", config, want)
	}
	if text := fmt.Sprintf("%v %+v %#v", config, config, config); strings.Contains(text, "from-env") || strings.Contains(text, masterKey) || strings.Contains(text, "pass@") {
		t.Errorf("a secret is printed: %s", text)
	}
}

// TestConfigFaults gives everything that is wrong at once.
func TestConfigFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		file  string
		env   []string
		flags map[string]any
		want  []string // begin each fault, in any order
	}{
		{name: "nothing is wrong"},
		{
			name: "unknown key",
			file: "wrokers: 3\napi: {listne: x}\nhtpp: {user_agent: x}\nzzzzzzzz: 1\n",
			want: []string{
				"wrokers: is unknown: did you mean workers?", "api.listne: is unknown: did you mean api.listen?",
				"htpp.user_agent: is unknown: did you mean http.user_agent?", "zzzzzzzz: is unknown",
			},
		},
		{
			name: "unknown variable",
			env:  []string{"OUTRIDER_WORKRES=3", "OUTRIDER_API_TOKENFILE=x", "OUTRIDER_PROFILES=x", "OUTRIDER_TOKEN=t", "OUTRIDER_CONFIG=c", "OUTRIDER_VECTORS=v"},
			want: []string{
				"OUTRIDER_WORKRES: is unknown: did you mean OUTRIDER_WORKERS?",
				"OUTRIDER_API_TOKENFILE: is unknown: did you mean OUTRIDER_API_TOKEN_FILE?", "OUTRIDER_PROFILES: is unknown",
			},
		},
		{
			name: "variables of a Service of Kubernetes",
			env: []string{
				"OUTRIDER_SERVICE_HOST=10.0.0.11", "OUTRIDER_SERVICE_PORT=8480", "OUTRIDER_SERVICE_PORT_HTTP_API=8480",
				"OUTRIDER_PORT=tcp://10.0.0.11:8480", "OUTRIDER_PORT_8480_TCP=tcp://10.0.0.11:8480",
				"OUTRIDER_PORT_8480_TCP_PROTO=tcp", "OUTRIDER_PORT_8480_TCP_PORT=8480", "OUTRIDER_PORT_8480_TCP_ADDR=10.0.0.11",
				"OUTRIDER_API_SERVICE_HOST=fd00::1", "OUTRIDER_API_PORT=udp://[fd00::1]:53",
			},
		},
		{
			name: "variables like those of Kubernetes",
			env: []string{
				"OUTRIDER_SERVICE_HOST=example.com", "OUTRIDER_SERVICE_PORT=http", "OUTRIDER_PORT=8480", "OUTRIDER_HTTP_PORT=8480",
				"OUTRIDER_PORT_8480_TCP_PROTO=http", "OUTRIDER_PORT_8480=tcp://10.0.0.11:8480", "OUTRIDER_WORKERS_PORT_TCP=1",
			},
			want: []string{
				"OUTRIDER_SERVICE_HOST: is unknown", "OUTRIDER_SERVICE_PORT: is unknown", "OUTRIDER_PORT: is unknown", "OUTRIDER_HTTP_PORT: is unknown",
				"OUTRIDER_PORT_8480_TCP_PROTO: is unknown", "OUTRIDER_PORT_8480: is unknown", "OUTRIDER_WORKERS_PORT_TCP: is unknown",
			},
		},
		{name: "unknown flag", flags: map[string]any{"api.lisen": "x"}, want: []string{"api.lisen: is unknown: did you mean api.listen?"}},
		{
			name: "wrong values",
			file: `
api: {listen: nowhere}
workers: many
lane_concurrency: 0
attempt_timeout: 30
max_bytes: 9999999999GiB
max_messages: -1
allow_private: perhaps
retry: sometimes
topic_prefix: 7
log: {level: loud, format: xml}
http: {message_id_header: Host, user_agent: "a\nb", max_idle_conns: 1.5}
retain: {dead: {age: -1h, count: x, bytes: -1}, delivered: {bytes: 1}}
lane_rate: {per_second: 0, burst: many}
breaker: {failures: 0, cool_off: 0s, max_cool_off: soon, disabled: perhaps}
failure_budget: 0s
shutdown_timeout: 0s
inbound: {concurrency: 0}
`,
			want: []string{
				"api.listen: ", "workers: want a whole number", "lane_concurrency: want a whole number", "attempt_timeout: want a duration",
				"max_bytes: want a number of bytes", "max_messages: want a whole number", "allow_private: want true or false",
				"retry: ", "topic_prefix: want text: write it in quotes", "log.level: ", "log.format: ",
				"http.message_id_header: ", "http.user_agent: ", "http.max_idle_conns: want a whole number",
				"retain.dead.age: want a duration", "retain.dead.count: want a whole number",
				"lane_rate.per_second: want a number per second above zero", "lane_rate.burst: want a whole number",
				"breaker.failures: want a whole number", "breaker.cool_off: want a duration", "breaker.max_cool_off: want a duration",
				"breaker.disabled: want true", "failure_budget: want a duration such as 120h, or never",
				"retain.dead.bytes: want a number of bytes", "retain.delivered.bytes: is unknown", "shutdown_timeout: want a duration",
				"inbound.concurrency: want a whole number, at least 1",
			},
		},
		{
			name: "wrong shapes",
			file: "api: 5\nlog: debug\nprofiles: none\nretain.dead.age: 1h\nworkers: {a: 1}\nhttp: {}\n",
			want: []string{
				"api: want keys below it", "log: want keys below it", "profiles: want profiles by their ids",
				"retain.dead.age: has a dot", "workers: want a whole number",
			},
		},
		{name: "less than one a day", flags: map[string]any{"lane_rate.per_second": "1e-9"}, want: []string{"lane_rate.per_second: rate: want at least"}},
		{name: "burst without a rate", flags: map[string]any{"lane_rate.burst": "2"}, want: []string{"lane_rate.per_second: "}},
		{name: "cool-offs", flags: map[string]any{"breaker.max_cool_off": "1s"}, want: []string{"breaker.max_cool_off: is shorter"}},
		{name: "open to the world", flags: map[string]any{"api.listen": ":8480"}, want: []string{"api.token: is missing"}},
		{name: "a Unix socket", flags: map[string]any{"api.listen": "unix:/tmp/x.sock"}, want: []string{`api.listen: "unix:/tmp/x.sock" is not an address: write it as host:port`}},
		{name: "open to the network", flags: map[string]any{"api.listen": "192.0.2.1:8480"}, want: []string{"api.token: is missing"}},
		{name: "token that no header carries", flags: map[string]any{"api.token": "a b"}, want: []string{"api.token: has a character"}},
		{
			name: "two tokens", file: "api: {token: t}\n", env: []string{"OUTRIDER_API_TOKEN_FILE=" + os.DevNull},
			want: []string{"api.token_file: api.token is given too", "api.token_file: file " + os.DevNull + " is empty"},
		},
		{
			name: "master key in the configuration", flags: map[string]any{"dir": "d", "encryption.key": strings.Repeat("ab", 16) + strings.Repeat("cd", 16)},
			want: []string{"encryption.key: want env:NAME or file:PATH"},
		},
		{
			name: "master key that is none", flags: map[string]any{"dir": "d", "encryption.key": "env:MASTER"}, env: []string{"MASTER=secret"},
			want: []string{"encryption.key: not a master key"},
		},
		{
			name: "master key that is not there", flags: map[string]any{"dir": "d", "encryption.key": "env:MASTER", "encryption.key_file": "/nowhere/key"},
			want: []string{"encryption.key: variable MASTER is not set", "encryption.key_file: read master key: open /nowhere/key", "encryption.key_file: encryption.key is given too"},
		},
		{
			name: "nothing to encrypt", flags: map[string]any{"memory": true, "encryption.key": "env:MASTER"}, env: []string{"MASTER=" + strings.Repeat("0123456789abcdef", 4)},
			want: []string{"encryption.key: means nothing for a queue in memory"},
		},
		{name: "sealed only, without a key", flags: map[string]any{"encryption.sealed_only": true}, want: []string{"encryption.sealed_only: means nothing"}},
		{
			name: "secrets that are not there",
			file: "api: {token: 'env:NOT_THERE'}\nprofiles: {p: {secrets: {a: 'env:NOR_THIS', b: 'file:/not/there', c: '', d: 42}}}\n",
			want: []string{
				"api.token: variable NOT_THERE is not set", "profiles.p.secrets.a: variable NOR_THIS is not set",
				"profiles.p.secrets.b: open /not/there", "profiles.p.secrets.c: is empty", "profiles.p.secrets.d: want text",
			},
		},
		{
			name: "profiles",
			file: `
profiles:
  "bad id": {}
  list: [1]
  p:
    colour: red
    retry: sometimes
    wire_format: morse
    tls: {cert_file: only.pem}
    egress: {allow_networks: [10.0.0.0/8, home], allow_ports: [0]}
    settings: {version: 1.10}
  q: {egress: {proxy: "ftp://proxy.example"}}
`,
			want: []string{
				`profiles.bad id: `, "profiles.list: want the keys", "profiles.p.colour: is unknown", "profiles.p.retry: ", "profiles.p.wire_format: ",
				"profiles.p: ", "profiles.p.egress.allow_networks: entry 2: want networks", "profiles.p.egress.allow_ports: entry 1: want ports",
				"profiles.p.settings.version: want text: write it in quotes", "profiles.q.egress: ",
			},
		},
		{
			name: "settings that nothing reads",
			file: `
profiles:
  p: {settings: {didcomm.sgin: true, http.permanent4xx: true, ws.akc: ping, webhook.kyes: x, wamp.cryptobox.kye: x, colour: red, mine.sgin: x, ws: x}}
`,
			want: []string{
				"profiles.p.settings.didcomm.sgin: is unknown: did you mean didcomm.sign?",
				"profiles.p.settings.http.permanent4xx: is unknown: did you mean http.permanent_4xx?",
				"profiles.p.settings.ws.akc: is unknown: did you mean ws.ack?",
				"profiles.p.settings.webhook.kyes: is unknown: did you mean webhook.keys?",
				"profiles.p.settings.wamp.cryptobox.kye: is unknown: did you mean wamp.cryptobox.key?",
			},
		},
		{
			name: "secrets and files that cannot be used",
			file: `
profiles:
  p: {secrets: {webhook: whsec_zzz}, tls: {ca_file: nofile.pem, cert_file: nocert.pem, key_file: nokey.pem}}
`,
			want: []string{
				`profiles.p.secrets: the profile's secret "webhook": `, "profiles.p.tls.ca_file: ", "profiles.p.tls.cert_file: ",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sources := Sources{Env: test.env, Flags: test.flags}
			if test.file != "" {
				sources.File = writeFile(t, "config.yaml", test.file)
			}
			_, err := LoadConfig(sources)
			faults := faultsOf(err)
			for _, want := range test.want {
				if !slices.ContainsFunc(faults, func(fault string) bool { return strings.HasPrefix(fault, want) }) {
					t.Errorf("no fault begins with %q", want)
				}
			}
			if len(faults) != len(test.want) || t.Failed() {
				t.Errorf("faults, want %d:\n%s", len(test.want), strings.Join(faults, "\n"))
			}
		})
	}
}

// faultsOf takes a joined error apart.
func faultsOf(err error) []string {
	if err == nil {
		return nil
	}
	if fault, ok := err.(*KeyError); ok { //nolint:errorlint // the joined ones are wanted one by one
		return []string{fault.Error()}
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var faults []string
	for _, err := range joined.Unwrap() {
		faults = append(faults, faultsOf(err)...)
	}
	return faults
}

func TestFileErrorsHideValues(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	for _, test := range []struct{ name, file, want string }{
		{"a value that is an alias", "api:\n  token: *" + canary + "\n", "not a YAML file"},
		{"a value with the wrong tag", "api:\n  token: !!int " + canary + "\n", "not a YAML file"},
		{"no keys", canary, "not a YAML file"},
		{"bad indentation", "api:\n  token: " + canary + "\n bad: x\n", "line"},
		{"a key twice", "workers: 1\nworkers: 2\n", `"workers" already defined at line 1`},
		{"a secret that is no text", "profiles: {p: {secrets: {k: [" + canary + "]}}}\n", "profiles.p.secrets.k: want text"},
		{"a key that looks like a value", "api: {token: " + canary + ", workers: [" + canary + "]}\n", "api.workers: is unknown"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := LoadConfig(Sources{File: writeFile(t, "config.yaml", test.file)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q in it", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("error repeats the value: %v", err)
			}
		})
	}
	if _, err := LoadConfig(Sources{File: filepath.Join(t.TempDir(), "missing.yaml")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestZeroConfigIsValid(t *testing.T) {
	t.Parallel()
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
	bad := Config{
		Workers: -1, Retain: map[queue.Result]outbound.Retain{"lost": {}, queue.Dead: {Count: -1}},
		HTTP: HTTPConfig{MaxIdleConns: -1}, ShutdownTimeout: -1,
	}
	if faults := faultsOf(bad.Validate()); len(faults) != 5 {
		t.Errorf("want 5 faults:\n%s", strings.Join(faults, "\n"))
	}
	var fault *KeyError
	if _, err := New(bad, Options{}); !errors.As(err, &fault) {
		t.Errorf("New: %v", err)
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		config LogConfig
		want   string // in the log of an info and a debug line
		lines  int
	}{
		{LogConfig{}, `"msg":"hello"`, 1},
		{LogConfig{Level: "debug", Format: "console"}, "INFO\thello", 2},
		{LogConfig{Level: "error"}, "", 0},
	} {
		var out bytes.Buffer
		log, err := test.config.NewLogger(&out)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("hello")
		log.Debug("details")
		if lines := strings.Count(out.String(), "\n"); lines != test.lines || !strings.Contains(out.String(), test.want) {
			t.Errorf("%+v: got %q", test.config, out.String())
		}
	}
	if _, err := (LogConfig{Level: "loud"}).NewLogger(nil); err == nil {
		t.Error("an unknown level is no error")
	}
}

func TestListsInVariables(t *testing.T) {
	t.Parallel()
	config, err := LoadConfig(Sources{Env: []string{
		"OUTRIDER_INBOUND_LISTEN=http://127.0.0.1:8020,ws://127.0.0.1:8020", "OUTRIDER_API_ALLOWED_HOSTS= a.example  b.example ",
		"OUTRIDER_INBOUND_FROM=amqp://127.0.0.1/a,b amqp://127.0.0.1/c",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Inbound.Listen; !slices.Equal(got, []string{"http://127.0.0.1:8020", "ws://127.0.0.1:8020"}) {
		t.Errorf("inbound.listen is %q", got)
	}
	if got := config.API.AllowedHosts; !slices.Equal(got, []string{"a.example", "b.example"}) {
		t.Errorf("api.allowed_hosts is %q", got)
	}
	if got := fmt.Sprint(config.Inbound.From); got != "[amqp://127.0.0.1/a,b amqp://127.0.0.1/c]" {
		t.Errorf("inbound.from is %s", got)
	}
	_, err = LoadConfig(Sources{Env: []string{"OUTRIDER_PROFILES_DEFAULT_RETRY=none"}})
	if want := "OUTRIDER_PROFILES_DEFAULT_RETRY: profiles are set in the file alone"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("a profile in a variable: %v, want %q", err, want)
	}
}

package cli

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestConfigPrint(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, `
api: {token: canary-token}
retry: acapy
workers: 12
retain: {dead: {age: 48h, count: 0}}
profiles:
  tenant.a:
    secrets: {api_key: canary-key}
    egress: {allow_networks: [10.0.0.0/8, 192.0.2.1], proxy: "http://user:canary-proxy@proxy:3128"}
`)
	sh := shell{env: []string{"OUTRIDER_CONFIG=" + file, "OUTRIDER_WORKERS=13", "OUTRIDER_RETRY=none"}}
	args := []string{"config", "print", "--retry", "exponential", "--allow-private"}

	text := sh.want(t, ExitOK, args...).stdout
	for _, want := range []string{
		"KEY ", "api.listen ", "127.0.0.1:8480", "allow_private ", "lane_concurrency ", "attempt_timeout ", "profiles.tenant.a.name ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("output lacks %q:\n%s", want, text)
		}
	}
	var tree map[string]any
	sh.json(t, ExitOK, &tree, args...)
	for _, test := range []struct {
		want any
		path []string
	}{
		{"***", []string{"api", "token"}},
		{"exponential", []string{"retry"}}, // a flag beats a variable
		{13.0, []string{"workers"}},        // which beats the file
		{true, []string{"allow_private"}},
		{"30s", []string{"attempt_timeout"}},
		{"48h0m0s", []string{"retain", "dead", "age"}},
		{0.0, []string{"retain", "dead", "count"}},
		{10000.0, []string{"retain", "delivered", "count"}},
		{"***", []string{"profiles", "tenant.a", "secrets", "api_key"}},
		{"***", []string{"profiles", "tenant.a", "egress", "proxy"}},
		{[]any{"10.0.0.0/8", "192.0.2.1/32"}, []string{"profiles", "tenant.a", "egress", "allow_networks"}},
	} {
		var got any = tree
		for _, name := range test.path {
			below, _ := got.(map[string]any)
			got = below[name]
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %v, want %v", strings.Join(test.path, "."), got, test.want)
		}
	}
	if all := text + sh.want(t, ExitOK, append(args, "--json")...).stdout; strings.Contains(all, "canary") {
		t.Errorf("output shows a secret:\n%s", all)
	}
}

// TestConfigPrintFailsWhereServeWould: the directory is no key, and the daemon would
// not know where to keep its queue.
func TestConfigPrintFailsWhereServeWould(t *testing.T) {
	t.Setenv(agent.EnvStateDirectory, strings.Join([]string{t.TempDir(), t.TempDir()}, string(filepath.ListSeparator)))
	if got := (shell{}).want(t, ExitUsage, "config", "print").stderr; !strings.Contains(got, "names 2 directories") {
		t.Errorf("stderr is %q", got)
	}
	shell{}.want(t, ExitOK, "config", "print", "--dir", t.TempDir())
	shell{}.want(t, ExitOK, "config", "print", "--memory")
}

// TestDefaultsAreInForce: what is printed as the configuration in force has the
// defaults of what nobody has set.
func TestDefaultsAreInForce(t *testing.T) {
	t.Parallel()
	var shown []string
	for _, s := range settingsOf(agent.Config{}) {
		shown = append(shown, fmt.Sprint(strings.Join(s.path, "."), "=", s.value))
	}
	for _, want := range []string{
		"memory=false", "http.max_conns_per_host=50", "http.max_idle_conns=200", "http.message_id_header=Message-Id", "http.user_agent=outrider",
		"ws.mode=shared", "ws.ack=none", "ws.connections=1", "ws.max_conns_per_host=50", "ws.idle_timeout=5m0s", "ws.ping_interval=30s", "ws.compression=false",
		"inbound.handler=drop", "inbound.concurrency=1", "inbound.max_message_bytes=2097152", "inbound.max_sessions=16384",
	} {
		if !slices.Contains(shown, want) {
			t.Errorf("%s is not shown", want)
		}
	}
}

// A field that is added to the configuration must be printed, too.
func TestSettingsAreComplete(t *testing.T) {
	t.Parallel()
	options := profile.Options{
		Settings: map[string]string{"k": "v"}, Base: profile.Settings{}, Secrets: map[string]transport.Secret{"s": transport.NewSecret("x")},
		Inbound: profile.Inbound{Tokens: map[string]transport.Secret{"t": transport.NewSecret("x")}},
	}
	config := agent.Config{
		Retain:   map[queue.Result]outbound.Retain{queue.Dead: {}}, // age, count and bytes
		Profiles: map[string]profile.Options{"p": {}},
	}
	fill(reflect.ValueOf(&options).Elem())
	fill(reflect.ValueOf(&config).Elem())
	config.Profiles["p"] = options

	const mapsOfConfig, objectsOfProfile = 2, 2 // Retain has three keys, Profiles are below, Base and Keys are no keys
	want := leaves(reflect.TypeOf(config)) - mapsOfConfig + 3
	want += leaves(reflect.TypeOf(options)) - objectsOfProfile
	if got := settingsOf(config); len(got) != want {
		t.Errorf("got %d settings, want %d:\n%v", len(got), want, got)
	}
}

// fill puts something into every field that has none.
func fill(value reflect.Value) {
	for _, field := range value.Fields() {
		switch {
		case field.Type() == reflect.TypeFor[transport.Secret]():
			field.Set(reflect.ValueOf(transport.NewSecret("x")))
		case field.Type() == reflect.TypeFor[transport.Endpoint]():
			endpoint, _ := transport.ParseEndpoint("x:x")
			field.Set(reflect.ValueOf(endpoint))
		case field.Kind() == reflect.Struct:
			fill(field)
		case !field.CanSet() || !field.IsZero():
		case field.Kind() == reflect.String:
			field.SetString("x")
		case field.Kind() == reflect.Bool:
			field.SetBool(true)
		case field.CanInt():
			field.SetInt(7)
		case field.CanUint():
			field.SetUint(1)
		case field.CanFloat():
			field.SetFloat(0.5)
		case field.Kind() == reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		}
	}
}

// leaves counts the fields below a struct that are no structs.
func leaves(structure reflect.Type) int {
	n := 0
	for one := range structure.Fields() {
		field := one.Type
		whole := []reflect.Type{reflect.TypeFor[transport.Secret](), reflect.TypeFor[transport.Endpoint](), reflect.TypeFor[profile.Settings]()}
		switch {
		case field.Kind() == reflect.Func: // whom to tell is no key
		case field.Kind() == reflect.Struct && !slices.Contains(whole, field):
			n += leaves(field)
		default:
			n++
		}
	}
	return n
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if got := (shell{}).want(t, ExitOK, "version").stdout; !strings.HasPrefix(got, "outrider ") || !strings.Contains(got, "go1.") {
		t.Errorf("version: got %q", got)
	} else if flag := (shell{}).want(t, ExitOK, "--version").stdout; flag != got {
		t.Errorf("--version: got %q, want %q", flag, got)
	}
	var b build
	shell{}.json(t, ExitOK, &b, "version")
	if b.Version == "" || b.Go == "" || !strings.Contains(b.Platform, "/") {
		t.Errorf("version --json: got %+v", b)
	}
}

func TestBuildText(t *testing.T) {
	t.Parallel()
	const revision = "0123456789abcdef0123"
	tests := map[string]struct {
		build build
		want  string
	}{
		"release":       {build{Version: "v1.2.3"}, "v1.2.3"},
		"revision":      {build{Version: "(devel)", Revision: revision}, "(devel) 0123456789ab"},
		"changed":       {build{Version: "v1.2.3", Revision: revision, Modified: true}, "v1.2.3 0123456789ab with changes"},
		"pseudoversion": {build{Version: "v0.0.0-20260101000000-0123456789ab+dirty", Revision: revision, Modified: true}, "v0.0.0-20260101000000-0123456789ab+dirty"},
	}
	for name, test := range tests {
		if got := test.build.text(); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

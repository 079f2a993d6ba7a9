package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/receiver"
)

// withKeys returns a shell that knows a passphrase, and the flags of a new file
// with keys.
func withKeys(t *testing.T) (shell, []string) {
	t.Helper()
	return shell{}.with(agent.EnvPassphrase + "=canary-passphrase"), []string{"--keys", filepath.Join(t.TempDir(), "keys.json")}
}

func run[T any](t *testing.T, sh shell, args ...string) (value T) {
	t.Helper()
	sh.json(t, ExitOK, &value, args...)
	return value
}

func args(first []string, more ...string) []string {
	return append(append([]string{}, more...), first...)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	sh, file := withKeys(t)
	made := run[keyView](t, sh, args(file, "keys", "create", "ed25519")...)
	if made.No != 1 || made.Type != "ed25519" || made.DID != "did:key:"+made.ID || made.Verkey == "" || len(made.PublicKey) != 64 {
		t.Errorf("the key is %+v", made)
	}
	named := run[keyView](t, sh, args(file, "keys", "create", "x25519", "--id", "did:example:me#key-1")...)
	if named.ID != "did:example:me#key-1" {
		t.Errorf("the key is %+v", named)
	}
	secret := strings.Repeat("1f", 32)
	sh.stdin = "0x" + secret + "\n"
	imported := run[keyView](t, sh, args(file, "keys", "import", "@-", "--type", "eth")...)
	if !strings.HasPrefix(imported.Address, "0x") {
		t.Errorf("the key is %+v", imported)
	}
	list := run[map[string][]keyView](t, sh, args(file, "keys", "list")...)["keys"]
	if len(list) != 3 || list[1] != named {
		t.Errorf("the list is %+v", list)
	}
	for _, id := range []string{made.ID, made.DID, made.Verkey, imported.Address} {
		if got := sh.want(t, ExitOK, args(file, "keys", "show", id)...).stdout; !strings.Contains(got, "public key") {
			t.Errorf("show %s: %s", id, got)
		}
	}
	all := sh.want(t, ExitOK, args(file, "keys", "list")...)
	content, err := os.ReadFile(file[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{secret, "canary-passphrase"} {
		if strings.Contains(all.stdout+all.stderr+string(content), text) {
			t.Error("a private half or the passphrase shows")
		}
	}
	sh.want(t, ExitUsage, args(file, "keys", "delete", made.ID)...)
	sh.want(t, ExitOK, args(file, "keys", "delete", made.ID, "--yes")...)
	if list := run[map[string][]keyView](t, sh, args(file, "keys", "list")...)["keys"]; len(list) != 2 {
		t.Errorf("after delete the list is %+v", list)
	}
	for name, test := range map[string]struct {
		sh   shell
		args []string
		code int
		want string
	}{
		"a wrong passphrase": {sh.with(agent.EnvPassphrase + "=other"), args(file, "keys", "list"), ExitFailure, "wrong passphrase"},
		"no passphrase":      {shell{}, args(file, "keys", "list"), ExitUsage, "--passphrase-file"},
		"no file":            {sh, []string{"keys", "list", "--keys", file[1] + ".x"}, ExitFailure, "no such file"},
		"no keys at all":     {sh, []string{"keys", "list"}, ExitUsage, "keys.file"},
		"an unknown type":    {sh, args(file, "keys", "create", "rsa"), ExitUsage, "ed25519"},
		"an unknown key":     {sh, args(file, "keys", "show", "nobody"), ExitNotFound, "no such key"},
		"none to delete":     {sh, args(file, "keys", "delete", "nobody", "--yes"), ExitNotFound, "no such key"},
		"a key in the line":  {sh, args(file, "keys", "import", secret), ExitUsage, "does not belong"},
		"no key":             {shell{env: sh.env, stdin: "canary"}, args(file, "keys", "import", "@-"), ExitFailure, "not a private key"},
		"twice":              {shell{env: sh.env, stdin: secret}, args(file, "keys", "import", "@-", "--type", "eth"), ExitFailure, "there already"},
		"an unknown profile": {sh, args(file, "keys", "list", "--profile", "nobody"), ExitUsage, "unknown profile"},
	} {
		got := test.sh.want(t, test.code, test.args...)
		if !strings.Contains(got.stderr, test.want) || strings.Contains(got.stderr, "canary") || strings.Contains(got.stderr, secret) {
			t.Errorf("%s: %s, want %q", name, got.stderr, test.want)
		}
	}
}

func TestPackAndUnpack(t *testing.T) {
	t.Parallel()
	sh, file := withKeys(t)
	alice, bob := run[keyView](t, sh, args(file, "keys", "create", "ed25519")...), run[keyView](t, sh, args(file, "keys", "create", "ed25519")...)
	for format, message := range map[string]string{
		"didcomm/v1": `{"@type":"t","~thread":{"thid":"th"},"canary":1}`,
		"didcomm/v2": `{"id":"1","type":"t","thid":"th","from":"` + alice.DID + `","canary":1}`,
	} {
		packed := sh.want(t, ExitOK, args(file, "pack", "--wire-format", format, "-d", message, "--recipient", bob.DID, "--sender-key", alice.DID)...).stdout
		if strings.Contains(packed, "canary") {
			t.Errorf("%s: %s", format, packed)
		}
		reader := shell{env: sh.env, stdin: packed}
		if got := reader.want(t, ExitOK, args(file, "unpack", "-d", "@-")...).stdout; got != message {
			t.Errorf("%s: unpacked %s", format, got)
		}
		view := run[messageView](t, reader, args(file, "unpack", "-d", "@-", "--wire-format", format)...)
		if view.WireFormat != format || *view.Payload.Text != message || view.Sender == "" || view.Recipient == "" || view.ThreadID != "th" {
			t.Errorf("%s: %+v", format, view)
		}
		keys := shell{stdin: packed}.want(t, ExitOK, "unpack", "-d", "@-", "--recipient-keys").stdout
		if !strings.Contains(keys, bob.Verkey) && !strings.Contains(keys, bob.DID) {
			t.Errorf("%s: it is for %s", format, keys)
		}
	}

	config := filepath.Join(t.TempDir(), "outrider.yaml")
	yaml := "profiles:\n  acme:\n    keys: {file: " + file[1] + ", passphrase: env:PASS}\n    settings: {webhook.keys: \"" + alice.ID + "\"}\n    secrets: {webhook: whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5}\n"
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	configured := shell{env: []string{"PASS=canary-passphrase"}}
	view := run[frameView](t, configured, "pack", "--wire-format", "webhook", "-d", `{"a":1}`, "--config", config, "--profile", "acme")
	if view.Header["webhook-timestamp"] == "" || !strings.Contains(view.Header["webhook-signature"], "v1a,") || !strings.HasPrefix(view.Header["webhook-signature"], "v1,") {
		t.Errorf("the frame is %+v", view)
	}
	unpack := []string{"unpack", "-d", *view.Body.Text, "--content-type", view.ContentType, "--config", config, "--profile", "acme"}
	for name, value := range view.Header {
		unpack = append(unpack, "-H", name+": "+value)
	}
	if got := run[messageView](t, configured, unpack...); !got.Signed || got.WireFormat != "webhook" {
		t.Errorf("it is read as %+v", got)
	}

	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no format":       {[]string{"pack", "-d", "x"}, ExitUsage, "--wire-format is missing"},
		"unknown format":  {[]string{"pack", "-d", "x", "--wire-format", "morse"}, ExitUsage, "morse"},
		"no data":         {[]string{"pack", "--wire-format", "raw"}, ExitUsage, "-d is missing"},
		"no recipient":    {[]string{"pack", "--wire-format", "didcomm/v1", "-d", `{"canary":1}`}, ExitFailure, "no recipients"},
		"nobody's format": {[]string{"unpack", "--wire-format", "raw", "-d", "x", "--recipient-keys"}, ExitUsage, "nobody's keys"},
		"not for us":      {[]string{"unpack", "--wire-format", "didcomm", "-d", "{}"}, ExitFailure, "no envelope"},
		"no media type":   {[]string{"unpack", "-d", "x", "--content-type", "image/png"}, ExitFailure, "image/png"},
	} {
		got := sh.want(t, test.code, test.args...)
		if !strings.Contains(got.stderr, test.want) || strings.Contains(got.stderr, "canary") {
			t.Errorf("%s: %s, want %q", name, got.stderr, test.want)
		}
	}
}

// TestSendEncrypted: a message of send arrives encrypted, with the keys of a
// configuration.
func TestSendEncrypted(t *testing.T) {
	t.Parallel()
	sh, file := withKeys(t)
	alice, bob := run[keyView](t, sh, args(file, "keys", "create", "ed25519")...), run[keyView](t, sh, args(file, "keys", "create", "ed25519")...)
	config := filepath.Join(t.TempDir(), "outrider.yaml")
	yaml := "profiles:\n  default:\n    keys: {file: " + file[1] + ", passphrase: env:PASS}\n    wire_format: didcomm\n    settings: {didcomm.recipients: \"" + bob.DID + "\", didcomm.sender: \"" + alice.DID + "\"}\n"
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	box := openInbox(t, receiver.Options{})
	configured := shell{env: []string{"PASS=canary-passphrase"}}
	const message = `{"@type":"t","canary":1}`
	configured.want(t, ExitOK, "send", box.url, "-d", message, "--config", config, "--allow-private")
	sh.want(t, ExitOK, args(file, "send", box.url, "-d", message, "--wire-format", "didcomm/v1", "--recipient", bob.Verkey, "--sender-key", alice.Verkey, "--allow-private")...)
	if got := sh.want(t, ExitUsage, args(file, "send", box.url, "-d", message, "--server", "http://127.0.0.1:1")...).stderr; !strings.Contains(got, "--keys") {
		t.Errorf("with a daemon: %s", got)
	}
	all := box.received()
	if len(all) != 2 {
		t.Fatalf("%d messages arrived", len(all))
	}
	for _, m := range all {
		var envelope map[string]any
		if err := json.Unmarshal(m.Payload, &envelope); err != nil || envelope["protected"] == nil || strings.Contains(string(m.Payload), "canary") {
			t.Errorf("what arrived is %s, %v", m.Payload, err)
		}
		reader := shell{env: sh.env, stdin: string(m.Payload)}
		if got := reader.want(t, ExitOK, args(file, "unpack", "-d", "@-", "--content-type", m.ContentType)...).stdout; got != message {
			t.Errorf("unpacked %s", got)
		}
	}
}

package didcomm

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// tenant returns a profile with the keys given and settings, in pairs.
func tenant(t testing.TB, keys []secmod.Key, settings ...string) *profile.Profile {
	t.Helper()
	module := secmod.NewMemory(secmod.MemoryOptions{})
	if err := module.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = module.Close(context.WithoutCancel(t.Context())) })
	for _, key := range keys {
		if _, err := module.AddKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	values := map[string]string{}
	for i := 0; i < len(settings); i += 2 {
		values[settings[i]] = settings[i+1]
	}
	p, err := profile.New("tenant", profile.Options{Keys: module, Settings: values})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newKey(t testing.TB, of profile.KeyType) secmod.Key {
	t.Helper()
	key, err := secmod.NewKey(of, "")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// parseKey reads a key in whatever form.
func parseKey(t testing.TB, of profile.KeyType, id, text string) secmod.Key {
	t.Helper()
	key, err := secmod.ParseKey(of, id, transport.NewSecret(text))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// seeded returns the Ed25519 key of a seed in hex, and its verkey.
func seeded(t testing.TB, seed string) (secmod.Key, string) {
	t.Helper()
	key := parseKey(t, profile.Ed25519, "", seed)
	return key, verkeyOf(t, key)
}

func verkeyOf(t testing.TB, key secmod.Key) string {
	t.Helper()
	v, err := parseVerkey("did:key:" + key.ID())
	if err != nil {
		t.Fatal(err)
	}
	return v.text
}

func peerDID(t testing.TB, keys ...secmod.Key) string {
	t.Helper()
	var signing, agreeing []profile.Key
	for _, key := range keys {
		if key.Type() == profile.Ed25519 {
			signing = append(signing, key)
			continue
		}
		agreeing = append(agreeing, key)
	}
	did, err := PeerDID(signing, agreeing)
	if err != nil {
		t.Fatal(err)
	}
	return did
}

// loadTestdata reads a JSON file of testdata.
func loadTestdata(t testing.TB, name string, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}

func encode(t testing.TB, f wireformat.Format, p *profile.Profile, payload string, to wireformat.Target) wireformat.Frame {
	t.Helper()
	frame, err := f.Encode(t.Context(), p, wireformat.Message{Payload: []byte(payload), Text: true}, to)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(frame.Body), "canary") && f.Name() != NameSigned {
		t.Fatal("the frame shows the message")
	}
	return frame
}

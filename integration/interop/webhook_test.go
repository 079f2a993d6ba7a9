package interop

import (
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/webhook"
)

// TestWebhooks: standardwebhooks verifies what we sign, and we what it signs.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	other := startPeer(t)
	old, secret := webhook.NewSecret(), webhook.NewSecret()
	p, err := profile.New("tenant", profile.Options{Secrets: map[string]transport.Secret{"webhook": transport.NewSecret(secret.Reveal() + " " + old.Reveal())}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := webhook.New(webhook.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"event":"created","text":"héllo ✓"}`
	m := wireformat.Message{ID: transport.NewID(time.Now()), Payload: []byte(body)}
	frame, err := f.Encode(t.Context(), p, m, wireformat.Target{})
	if err != nil {
		t.Fatal(err)
	}
	frame.Header = maps.Clone(frame.Header)
	if err := f.Stamp(t.Context(), p, &frame, wireformat.Attempt{ID: m.ID, Number: 1, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, known := range []transport.Secret{secret, old} {
		request := map[string]any{"secret": known.Reveal(), "header": frame.Header, "body": string(frame.Body)}
		other.mustAsk(t, "webhook verify", request, &struct{}{})
		request["body"] = body + " "
		if err := other.ask(t, "webhook verify", request, &struct{}{}); err == nil {
			t.Error("the peer believes another body")
		}
	}

	var signed struct{ Signature string }
	now := time.Now().Unix()
	other.mustAsk(t, "webhook sign", map[string]any{"secret": secret.Reveal(), "id": "msg_1", "timestamp": now, "body": body}, &signed)
	verifier, err := webhook.NewVerifier(webhook.VerifierOptions{}, secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify("msg_1", strconv.FormatInt(now, 10), signed.Signature, []byte(body)); err != nil {
		t.Error(err)
	}
}

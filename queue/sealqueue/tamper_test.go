package sealqueue

import (
	"errors"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

// keptMessage seals a message and returns it as it is kept.
func keptMessage(tb testing.TB, store *Store, inner *spy, change func(*queue.Message)) queue.Message {
	tb.Helper()
	m := newMessage(store, lane("a"))
	if change != nil {
		change(&m)
	}
	enqueue(tb, store, m)
	return inner.kept[len(inner.kept)-1]
}

// refused checks that a kept message opens in no way.
func refused(tb testing.TB, store *Store, inner *spy, what string, changed queue.Message) {
	tb.Helper()
	inner.change = func(m *queue.Message) { *m = changed }
	defer func() { inner.change = nil }()
	if records, err := store.Get(tb.Context(), []transport.ID{inner.kept[0].ID}, true); err == nil {
		tb.Errorf("%s: opened as %s, %q, %v", what, records[0].URI.Reveal(), records[0].Payload, records[0].Metadata)
	}
}

func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	store, inner := newStore(t)
	kept := keptMessage(t, store, inner, nil)
	for i := range kept.Payload {
		for bit := range 8 {
			changed := kept
			changed.Payload = append([]byte{}, kept.Payload...)
			changed.Payload[i] ^= 1 << bit
			refused(t, store, inner, "a bit of the body", changed)
		}
	}
	uri := kept.URI.Reveal()
	for i := range len(uri) {
		for bit := range 8 {
			text := []byte(uri)
			text[i] ^= 1 << bit
			changed := kept
			changed.URI = transport.NewSecret(string(text))
			refused(t, store, inner, "a bit of the address", changed)
		}
		changed := kept
		changed.URI = transport.NewSecret(uri[:i])
		if i > 0 { // an empty one is that of a message that was never sealed
			refused(t, store, inner, "an address cut short", changed)
		}
	}
	for _, payload := range [][]byte{nil, kept.Payload[:len(kept.Payload)-1], append(append([]byte{}, kept.Payload...), 0)} {
		changed := kept
		changed.Payload = payload
		refused(t, store, inner, "a body of another length", changed)
	}
	inner.change = nil
	if records, err := store.Get(t.Context(), []transport.ID{kept.ID}, true); err != nil || len(records) != 1 {
		t.Errorf("what was not changed: %v", err)
	}
}

// TestInAnothersPlace: what is sealed opens nowhere but where it was.
func TestInAnothersPlace(t *testing.T) {
	t.Parallel()
	store, inner := newStore(t)
	a := keptMessage(t, store, inner, nil)
	b := keptMessage(t, store, inner, nil)
	other := keptMessage(t, store, inner, func(m *queue.Message) { m.Lane.Profile = "other" })
	for name, change := range map[string]func(*queue.Message){
		"body and address of another message":  func(m *queue.Message) { m.Payload, m.URI = b.Payload, b.URI },
		"body of another message":              func(m *queue.Message) { m.Payload = b.Payload },
		"address of another message":           func(m *queue.Message) { m.URI = b.URI },
		"body and address of another profile":  func(m *queue.Message) { m.Payload, m.URI = other.Payload, other.URI },
		"another id":                           func(m *queue.Message) { m.ID = b.ID },
		"another profile":                      func(m *queue.Message) { m.Lane.Profile = "other" },
		"another destination":                  func(m *queue.Message) { m.Lane.Destination = lane("b").Destination },
		"another format":                       func(m *queue.Message) { m.Format = "json" },
		"another content type":                 func(m *queue.Message) { m.ContentType = "text/html" },
		"text that is none":                    func(m *queue.Message) { m.Text = !m.Text },
		"another idempotency key":              func(m *queue.Message) { m.IdempotencyKey = "k" },
		"format and content type put together": func(m *queue.Message) { m.Format, m.ContentType = m.Format+m.ContentType, "" },
	} {
		changed := a
		change(&changed)
		refused(t, store, inner, name, changed)
	}
	same := a
	same.Endpoint, same.Retry, same.Priority = "https://elsewhere.example.com", "none", queue.PriorityHigh
	inner.change = func(m *queue.Message) { *m = same }
	if _, err := store.Get(t.Context(), []transport.ID{a.ID}, true); err != nil {
		t.Errorf("what is readable and not bound: %v", err)
	}
}

// TestResponseInAnothersPlace: as above, for answers.
func TestResponseInAnothersPlace(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	a := queue.Attempt{Class: transport.Temporary, Code: "503", Response: []byte(secretResponse)}
	p := store.takePaper()
	defer store.givePaper(p)
	id := store.NewID()
	sealed := store.sealAttempt(t.Context(), p, &queue.Outcome{LeaseRef: queue.LeaseRef{ID: id}, Attempt: &a}, "acme", true)
	blob := sealed.Response[len(responseMarker):]
	if got, err := p.openResponse(t.Context(), "acme", id, &a, blob); err != nil || string(got) != secretResponse {
		t.Fatalf("open: %q, %v", got, err)
	}
	other := a
	other.Code = "200"
	for name, open := range map[string]func() ([]byte, error){
		"another message": func() ([]byte, error) { return p.openResponse(t.Context(), "acme", store.NewID(), &a, blob) },
		"another profile": func() ([]byte, error) { return p.openResponse(t.Context(), "other", id, &a, blob) },
		"another code":    func() ([]byte, error) { return p.openResponse(t.Context(), "acme", id, &other, blob) },
		"cut short":       func() ([]byte, error) { return p.openResponse(t.Context(), "acme", id, &a, blob[:len(blob)-1]) },
		"nothing":         func() ([]byte, error) { return p.openResponse(t.Context(), "acme", id, &a, nil) },
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s: opened as %q", name, got)
		} else if !errors.Is(err, ErrDamaged) && !errors.Is(err, keyring.ErrKeyMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range blob {
		changed := append([]byte{}, blob...)
		changed[i] ^= 1
		if got, err := p.openResponse(t.Context(), "acme", id, &a, changed); err == nil {
			t.Errorf("byte %d: opened as %q", i, got)
		}
	}
}

func TestIsSealed(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]bool{
		"": false, "https://a.example.com": false, "a+b-c.9:x": false, "sealed:1:x": false, marker: true, anyMarker + "2:x": true,
		"!sealed:1:": true, "9p:x": true, ":x": true, "no colon": true, "a b:c": true,
	} {
		if got := isSealed(transport.NewSecret(uri)); got != want {
			t.Errorf("%q: %v, want %v", uri, got, want)
		}
	}
	for i := range len(anyMarker) {
		for change := range 256 {
			text := []byte(marker + "content")
			text[i] = byte(change)
			if !isSealed(transport.NewSecret(string(text))) {
				t.Errorf("%q looks like a URI", text)
			}
		}
	}
}

// TestErrorsHoldNoSecrets: not those of what cannot be opened either.
func TestErrorsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	store, inner := newStore(t)
	kept := keptMessage(t, store, inner, nil)
	if _, err := store.keys.Shred(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	_, err := store.Get(t.Context(), []transport.ID{kept.ID}, true)
	if !errors.Is(err, keyring.ErrKeyMissing) || !strings.Contains(err.Error(), kept.ID.String()) || strings.Contains(err.Error(), "canary") {
		t.Errorf("get: %v", err)
	}
	records, err := store.Get(t.Context(), []transport.ID{kept.ID}, false)
	if err != nil || len(records) != 1 || !records[0].URI.IsZero() || records[0].Endpoint == "" {
		t.Errorf("get without payload: %+v, %v", records, err)
	}
	page, err := store.List(t.Context(), queue.Query{})
	if err != nil || len(page.Records) != 1 || !page.Records[0].URI.IsZero() {
		t.Errorf("list: %+v, %v", page, err)
	}
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// sealedBench is a store that agents follow each other over, and a receiver.
type sealedBench struct {
	*testing.T
	config Config
	store  queue.Store
	logs   *observer.ObservedLogs
	logger *zap.Logger
	url    string
	bodies chan string
}

func newSealedBench(t *testing.T) *sealedBench {
	t.Helper()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	b := &sealedBench{T: t, store: store, logs: logs, logger: zap.New(core), bodies: make(chan string, 10), config: Config{
		Dir: filepath.Join(t.TempDir(), "data"), AllowPrivate: true, API: APIConfig{Listen: ListenOff},
		Encryption: EncryptionConfig{Key: keyring.NewMaster()},
	}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.bodies <- string(body)
	}))
	t.Cleanup(server.Close)
	b.url = server.URL + "/inbox?key=secret-key"
	return b
}

// run has an agent do something.
func (b *sealedBench) run(do func(m *outbound.Manager)) {
	b.Helper()
	a, err := New(b.config, Options{Logger: b.logger, Store: b.store})
	if err != nil {
		b.Fatal(err)
	}
	if err := a.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	do(a.Manager())
	if _, err := a.Stop(b.Context()); err != nil {
		b.Error(err)
	}
}

func (b *sealedBench) lane() queue.Lane {
	return queue.Lane{Profile: profile.DefaultID, Destination: b.endpoint().Destination()}
}

func (b *sealedBench) endpoint() transport.Endpoint {
	b.Helper()
	e, err := transport.ParseEndpoint(b.url)
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// hold keeps messages from being delivered, and sends one.
func (b *sealedBench) hold(m *outbound.Manager, payload string) transport.ID {
	b.Helper()
	if err := m.PauseDestination(b.Context(), b.lane(), queue.Forever, ""); err != nil {
		b.Fatal(err)
	}
	accepted, err := m.Send(b.Context(), outbound.Message{Endpoint: b.endpoint(), Payload: []byte(payload)})
	if err != nil {
		b.Fatal(err)
	}
	return accepted.ID
}

// deliver delivers what is held.
func (b *sealedBench) deliver(m *outbound.Manager) {
	b.Helper()
	if err := m.ResumeDestination(b.Context(), b.lane()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if err := m.Flush(ctx); err != nil {
		b.Fatal(err)
	}
}

func (b *sealedBench) body() string {
	b.Helper()
	select {
	case body := <-b.bodies:
		return body
	default:
		b.Fatal("nothing was delivered")
		return ""
	}
}

// TestEncryption: what one agent has sealed, the next one delivers, and only with
// the key.
func TestEncryption(t *testing.T) {
	t.Parallel()
	b := newSealedBench(t)
	var id transport.ID
	b.run(func(m *outbound.Manager) { id = b.hold(m, "secret-payload") })
	kept, err := b.store.Get(t.Context(), []transport.ID{id}, true)
	if err != nil || len(kept) != 1 {
		t.Fatalf("get: %v, %v", kept, err)
	}
	if text := kept[0].URI.Reveal() + string(kept[0].Payload); strings.Contains(text, "secret") || strings.Contains(kept[0].Endpoint, "secret") {
		t.Errorf("the store has a secret: %s, %s", text, kept[0].Endpoint)
	}
	for name, test := range map[string]struct {
		key  transport.Secret
		want error
	}{"no key": {transport.Secret{}, keyring.ErrKeyMissing}, "another key": {keyring.NewMaster(), keyring.ErrWrongKey}} {
		config := b.config
		config.Encryption.Key = test.key
		_, err := New(config, Options{Store: b.store})
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), keyring.FileName) || !strings.Contains(err.Error(), "encryption.key") {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.config.Encryption.SealedOnly = true
	b.run(b.deliver)
	if body := b.body(); body != "secret-payload" {
		t.Errorf("delivered %q", body)
	}
}

// TestShreddedProfile: its messages die, and the log says why.
func TestShreddedProfile(t *testing.T) {
	t.Parallel()
	b := newSealedBench(t)
	var id transport.ID
	b.run(func(m *outbound.Manager) { id = b.hold(m, "secret-payload") })
	keys, err := b.config.OpenKeyring()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := keys.Shred(t.Context(), profile.DefaultID); n != 1 || err != nil {
		t.Fatalf("shred: %d, %v", n, err)
	}
	b.run(func(m *outbound.Manager) {
		b.deliver(m)
		record, err := m.Get(t.Context(), id, false)
		if err != nil || record.Result != queue.Dead || !strings.Contains(record.LastError, "shredded") {
			t.Errorf("the record is %+v, %v", record, err)
		}
		if _, err = m.Get(t.Context(), id, true); err == nil || problemOf(err).status != http.StatusConflict {
			t.Errorf("with payload: %v", err)
		}
	})
	if logged := b.logs.FilterMessage("cannot open a message").All(); len(logged) != 1 || logged[0].ContextMap()["message_id"] != id.String() {
		t.Errorf("logged %v", logged)
	}
	for _, entry := range b.logs.All() {
		if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, "secret") {
			t.Errorf("a secret is in the log: %s", text)
		}
	}
}

// TestEncryptionTurnedOn: what was kept in the clear before is delivered.
func TestEncryptionTurnedOn(t *testing.T) {
	t.Parallel()
	b := newSealedBench(t)
	key := b.config.Encryption.Key
	b.config.Encryption.Key = transport.Secret{}
	b.run(func(m *outbound.Manager) { b.hold(m, "old") })
	b.config.Encryption.Key = key
	b.run(b.deliver)
	if body := b.body(); body != "old" {
		t.Errorf("delivered %q", body)
	}
}

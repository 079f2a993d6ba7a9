package sealqueue

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// spy is a store that notes all it is given, and whose records can be changed on
// their way out.
type spy struct {
	queue.Store
	// change, if not nil, changes what Lease and Get give out.
	change func(*queue.Message)
	// leased, if not nil, is called when Lease has leased.
	leased func()
	// refuse, if not nil, is what Settle answers.
	refuse error

	mu    sync.Mutex
	notes strings.Builder
	kept  []queue.Message
}

// note writes down a message with all its secrets.
func (s *spy) note(m *queue.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.notes, "%+v\n%s\n%s\n%v\n", *m, m.URI.Reveal(), m.Payload, m.Metadata)
	for _, target := range m.Targets {
		fmt.Fprintf(&s.notes, "%s\n", target.URI.Reveal())
	}
	s.kept = append(s.kept, *m)
}

func (s *spy) Enqueue(ctx context.Context, batch []queue.Message) ([]queue.Enqueued, error) {
	for i := range batch {
		s.note(&batch[i])
	}
	return s.Store.Enqueue(ctx, batch)
}

func (s *spy) Settle(ctx context.Context, outcomes []queue.Outcome) ([]error, error) {
	if s.refuse != nil {
		return nil, s.refuse
	}
	s.mu.Lock()
	for i := range outcomes {
		if a := outcomes[i].Attempt; a != nil {
			fmt.Fprintf(&s.notes, "%+v\n%s\n", *a, a.Response)
		}
	}
	s.mu.Unlock()
	return s.Store.Settle(ctx, outcomes)
}

func (s *spy) Lease(ctx context.Context, req queue.LeaseRequest, into []queue.Leased) ([]queue.Leased, error) {
	leased, err := s.Store.Lease(ctx, req, into)
	if s.leased != nil {
		s.leased()
	}
	for i := range leased {
		s.changed(&leased[i].Message)
	}
	return leased, err
}

func (s *spy) Get(ctx context.Context, ids []transport.ID, withPayload bool) ([]queue.Record, error) {
	records, err := s.Store.Get(ctx, ids, withPayload)
	for i := range records {
		s.changed(&records[i].Message)
	}
	return records, err
}

func (s *spy) changed(m *queue.Message) {
	if s.change != nil {
		m.Payload = bytes.Clone(m.Payload)
		s.change(m)
	}
}

// seen reports in which form a text was noted.
func (s *spy) seen(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	notes := s.notes.String()
	for form, text := range map[string]string{
		"as it is": text, "in hex": hex.EncodeToString([]byte(text)), "as numbers": strings.Trim(fmt.Sprintf("%d", []byte(text)), "[]"),
		"in base64": base64.RawStdEncoding.EncodeToString([]byte(text))[:len(text)/3*4],
	} {
		if strings.Contains(notes, text) {
			return form
		}
	}
	return ""
}

// TestCanary: what is secret does not get to the store inside, and all of it comes
// back.
func TestCanary(t *testing.T) {
	t.Parallel()
	store, inner := newStore(t)
	m := newMessage(store, lane("a"))
	second := lane("b")
	m.Targets = []queue.Target{
		{Lane: m.Lane, Endpoint: m.Endpoint, URI: m.URI},
		{Lane: second, Endpoint: second.Destination, URI: transport.NewSecret(second.Destination + "/" + secretURI)},
	}
	want := m
	want.Payload, want.Metadata = bytes.Clone(m.Payload), m.Metadata.Clone()
	enqueue(t, store, m)
	l := lease(t, store, m.Lane)
	attempt := queue.Attempt{StartedAt: time.Now(), Class: transport.Temporary, Code: "503", Error: "busy", Response: []byte(secretResponse)}
	settle(t, store, queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictRetry, Attempt: &attempt})
	for _, secret := range []string{secretPayload, secretMetadata, secretURI, secretResponse} {
		if form := inner.seen(secret); form != "" {
			t.Errorf("%s is in the store inside, %s", secret, form)
		}
	}
	if inner.seen("a.example.com") == "" || inner.seen("busy") == "" {
		t.Error("the spy saw nothing")
	}
	same(t, &l.Message, &want)
	if string(attempt.Response) != secretResponse || attempt.N != 1 {
		t.Errorf("the caller's attempt was changed: %+v", attempt)
	}
	log := attempts(t, store, m.ID)
	if len(log) != 1 || string(log[0].Response) != secretResponse || log[0].Error != "busy" || log[0].Note != "" {
		t.Errorf("the log: %+v", log)
	}
}

// same checks a message, but for its targets where the store inside keeps none.
func same(tb testing.TB, got, want *queue.Message) {
	tb.Helper()
	if !got.URI.Equal(want.URI) || !bytes.Equal(got.Payload, want.Payload) || fmt.Sprint(got.Metadata) != fmt.Sprint(want.Metadata) {
		tb.Errorf("got  %s %s %v\nwant %s %s %v", got.URI.Reveal(), got.Payload, got.Metadata, want.URI.Reveal(), want.Payload, want.Metadata)
	}
}

// TestSize: a sealed message counts as much as it did, in the store inside too.
func TestSize(t *testing.T) {
	t.Parallel()
	store, inner := newStore(t)
	for _, size := range []int{0, 1, 15, 16, 17, 1024, 1 << 20} {
		m := newMessage(store, lane("a"))
		m.Payload, m.IdempotencyKey = make([]byte, size), fmt.Sprint("key", size)
		if size%2 == 0 {
			m.Metadata = nil
		}
		want := m.Size()
		enqueue(t, store, m)
		kept := inner.kept[len(inner.kept)-1]
		if kept.Size() != want || kept.Metadata != nil {
			t.Errorf("payload of %d: %d bytes are kept, want %d; metadata %v", size, kept.Size(), want, kept.Metadata)
		}
		if got := get(t, store, m.ID).Bytes; got != want {
			t.Errorf("payload of %d: Bytes is %d, want %d", size, got, want)
		}
		if over := len(kept.URI.Reveal()) - len(m.URI.Reveal())*4/3; over < 0 || over > 131+3*len(m.Metadata) {
			t.Errorf("payload of %d: the place of the URI takes %d bytes more, and some 130 are documented", size, over)
		}
	}
}

// TestTargets: each target opens, in its lane alone, and the message with any of
// them in turn.
func TestTargets(t *testing.T) {
	t.Parallel()
	store, inner := newStore(t)
	m := newMessage(store, lane("a"))
	for i, name := range []string{"a", "b", "c"} {
		at := lane(name)
		m.Targets = append(m.Targets, queue.Target{Lane: at, Endpoint: at.Destination, URI: transport.NewSecret(fmt.Sprint(at.Destination, "/", i, "#key"))})
	}
	m.Retarget(1)
	want := slices.Clone(m.Targets)
	enqueue(t, store, m)
	kept := inner.kept[0]
	if !kept.URI.Equal(kept.Targets[1].URI) || !m.Targets[0].URI.Equal(want[0].URI) {
		t.Error("the message's URI is not that of its target, or the caller's targets were changed")
	}
	p := store.takePaper()
	defer store.givePaper(p)
	for i := range want {
		moved := kept
		moved.Retarget(i)
		if err := p.openMessage(t.Context(), &moved); err != nil {
			t.Fatalf("target %d: %v", i, err)
		}
		if !moved.URI.Equal(want[i].URI) || string(moved.Payload) != string(m.Payload) {
			t.Errorf("target %d: %s, %q", i, moved.URI.Reveal(), moved.Payload)
		}
		for j := range want {
			if !moved.Targets[j].URI.Equal(want[j].URI) {
				t.Errorf("target %d of the message at %d: %s", j, i, moved.Targets[j].URI.Reveal())
			}
		}
		moved = kept
		moved.Retarget(i)
		moved.URI = kept.Targets[(i+1)%3].URI
		if err := p.openMessage(t.Context(), &moved); err == nil {
			t.Errorf("target %d opened with the URI of another", i)
		}
	}
	m.Targets[2].Lane.Profile = "other"
	m.ID = store.NewID()
	if _, err := store.Enqueue(t.Context(), []queue.Message{m}); err == nil || !strings.Contains(err.Error(), "target 3") {
		t.Errorf("a target of another profile: %v", err)
	}
}

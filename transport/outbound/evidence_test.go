package outbound_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// witness is a driver whose attempts bring the evidence that the test says.
type witness struct {
	driver
	evidence func(m *outbound.Message) transport.Evidence
}

func (w *witness) HandleMessage(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	receipt, err := w.driver.HandleMessage(ctx, m)
	receipt.Evidence, receipt.Note = w.evidence(m), "as told"
	return receipt, err
}

// limitedWitness says what it can give at most.
type limitedWitness struct{ witness }

func (w *limitedWitness) MaxEvidence() transport.Evidence { return transport.Acknowledged }

func TestMinEvidence(t *testing.T) {
	t.Parallel()
	demanding, err := profile.New("demanding", profile.Options{MinEvidence: transport.Acknowledged})
	if err != nil {
		t.Fatal(err)
	}
	directory, err := profile.NewStatic(demanding)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tenant   *profile.Profile
		demanded transport.Evidence // of the message
		given    []transport.Evidence
		result   queue.Result
	}{
		"nobody asks":                 {nil, transport.None, []transport.Evidence{transport.None}, queue.Delivered},
		"enough":                      {nil, transport.Written, []transport.Evidence{transport.Written}, queue.Delivered},
		"more than enough":            {nil, transport.Written, []transport.Evidence{transport.Accepted}, queue.Delivered},
		"weak, then enough":           {nil, transport.Accepted, []transport.Evidence{transport.Acknowledged, transport.Accepted}, queue.Delivered},
		"weak for good":               {nil, transport.Acknowledged, []transport.Evidence{transport.Written, transport.None, transport.Written}, queue.Dead},
		"the profile asks":            {demanding, transport.None, []transport.Evidence{transport.Written, transport.Acknowledged}, queue.Delivered},
		"the message asks for more":   {demanding, transport.Accepted, []transport.Evidence{transport.Acknowledged, transport.Accepted}, queue.Delivered},
		"the message asks for less":   {demanding, transport.Written, []transport.Evidence{transport.Written}, queue.Delivered},
		"weak, failed, then accepted": {nil, transport.Accepted, []transport.Evidence{transport.Written, transport.None, transport.Accepted}, queue.Delivered},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := &witness{evidence: func(m *outbound.Message) transport.Evidence { return c.given[m.Attempt-1] }}
				f := startWith(t, w, outbound.Options{Profiles: directory, Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 3}})
				id := f.send("test://host/", func(m *outbound.Message) { m.Profile, m.MinEvidence = c.tenant, c.demanded })
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.wantResult(id, c.result)
				log, err := f.Attempts(t.Context(), id)
				if err != nil || len(log) != len(c.given) {
					t.Fatalf("log = %+v, %v", log, err)
				}
				for i, a := range log {
					if i == len(log)-1 && c.result == queue.Delivered {
						if a.Class != transport.Success || a.Evidence != c.given[i] || a.Error != "" {
							t.Errorf("attempt %d: %+v", i+1, a)
						}
						continue
					}
					if a.Class != transport.Unknown || a.Evidence != max(c.given[i], transport.Written) || a.Code != "ok" {
						t.Errorf("attempt %d: %+v", i+1, a)
					}
					if !strings.Contains(a.Error, "evidence "+c.given[i].String()+" is less than ") {
						t.Errorf("attempt %d: %s", i+1, a.Error)
					}
				}
			})
		})
	}
}

func TestMinEvidenceThatCannotBe(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := &limitedWitness{witness{evidence: func(*outbound.Message) transport.Evidence { return transport.Acknowledged }}}
		f := startWith(t, w, outbound.Options{})
		for _, demanded := range []transport.Evidence{transport.Accepted, 9} {
			_, err := f.Send(t.Context(), outbound.Message{Endpoint: endpoint(t, "test://host/"), MinEvidence: demanded})
			if fault, ok := errors.AsType[*outbound.FieldError](err); !ok || fault.Field != "min_evidence" {
				t.Errorf("%v: err = %v", demanded, err)
			}
		}
		f.send("test://host/", func(m *outbound.Message) { m.MinEvidence = transport.Acknowledged })
	})
}

// TestEvidenceIsKeptBesideAFault: what a receiver has acknowledged stays so where the
// attempt is to be made again.
func TestEvidenceIsKeptBesideAFault(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := &witness{evidence: func(*outbound.Message) transport.Evidence { return transport.Acknowledged }}
		w.handle = func(context.Context, *outbound.Message) error {
			return &outbound.DeliveryError{Class: transport.Unknown, MaybeSent: true, Code: outbound.CodeReplyNotTaken, Err: errors.New("full")}
		}
		f := startWith(t, w, outbound.Options{Retry: outbound.NoRetry()})
		id := f.send("test://host/", nil)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := f.attempt(id); got.Evidence != transport.Acknowledged || got.Class != transport.Unknown || got.Code != outbound.CodeReplyNotTaken || got.Note != "as told" {
			t.Errorf("attempt = %+v", got)
		}
	})
}

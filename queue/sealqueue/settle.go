package sealqueue

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

// Settle implements queue.Store. An answer that cannot be sealed is not kept, and
// the attempt's note says so: the outcome matters more.
func (s *Store) Settle(ctx context.Context, outcomes []queue.Outcome) ([]error, error) {
	answered := false
	for i := range outcomes {
		answered = answered || hasResponse(&outcomes[i])
	}
	if !answered {
		s.leased.remove(outcomes)
		return s.Store.Settle(ctx, outcomes)
	}
	profiles, err := s.profilesOf(ctx, outcomes)
	if err != nil {
		return nil, err
	}
	p := s.takePaper()
	defer s.givePaper(p)
	p.outcomes = append(p.outcomes, outcomes...) // the caller's attempts stay as they are
	for i := range p.outcomes {
		if o := &p.outcomes[i]; hasResponse(o) {
			profile, known := profiles[o.ID]
			o.Attempt = s.sealAttempt(ctx, p, o, profile, known)
		}
	}
	faults, err := s.Store.Settle(ctx, p.outcomes)
	for i := range outcomes {
		outcomes[i].Result = p.outcomes[i].Result
		if outcomes[i].Attempt != nil {
			outcomes[i].Attempt.N = p.outcomes[i].Attempt.N
		}
	}
	return faults, err
}

func hasResponse(o *queue.Outcome) bool { return o.Attempt != nil && len(o.Attempt.Response) > 0 }

// sealAttempt returns the attempt with its response sealed; without, where it is
// not known whose it is, since the message is gone.
func (s *Store) sealAttempt(ctx context.Context, p *paper, o *queue.Outcome, profile string, known bool) *queue.Attempt {
	sealed := *o.Attempt
	sealed.Response = nil
	if !known {
		return &sealed
	}
	key, err := s.keys.Active(ctx, profile)
	if err != nil {
		sealed.Note = joinNotes(sealed.Note, fmt.Sprintf("the response is not kept: %v", err))
		return &sealed
	}
	size := len(responseMarker) + len(keyring.ID{}) + nonceSize + len(o.Attempt.Response) + tagSize
	p.data = responseData(p.data[:0], profile, o.ID, o.Attempt)
	sealed.Response = appendBox(append(make([]byte, 0, size), responseMarker...), key, o.Attempt.Response, p.data)
	return &sealed
}

// responseData binds a response to its message and to the code it came with. Its
// number is not known before the store has kept it.
func responseData(data []byte, profile string, id transport.ID, a *queue.Attempt) []byte {
	return appendData(data, forResponse, id, profile, string(a.Class), a.Code)
}

// profilesOf finds the profiles of leased messages: it remembers them, and asks
// the store where it does not, as after a restart. A message that is gone has
// none; its lease is lost.
func (s *Store) profilesOf(ctx context.Context, outcomes []queue.Outcome) (map[transport.ID]string, error) {
	profiles := s.leased.remove(outcomes)
	var unknown []transport.ID
	for i := range outcomes {
		if _, known := profiles[outcomes[i].ID]; !known && hasResponse(&outcomes[i]) {
			unknown = append(unknown, outcomes[i].ID)
		}
	}
	if len(unknown) == 0 {
		return profiles, nil
	}
	records, err := s.Store.Get(ctx, unknown, false)
	for i := range records {
		profiles[records[i].ID] = records[i].Lane.Profile
	}
	return profiles, err
}

// Attempts implements queue.Store. A response that cannot be opened is left out,
// and the attempt's note says why.
func (s *Store) Attempts(ctx context.Context, id transport.ID) ([]queue.Attempt, error) {
	log, err := s.Store.Attempts(ctx, id)
	sealed := false
	for i := range log {
		sealed = sealed || bytes.HasPrefix(log[i].Response, []byte(responseMarker))
	}
	if err != nil || !sealed {
		return log, err
	}
	records, err := s.Store.Get(ctx, []transport.ID{id}, false)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 { // it went meanwhile
		return nil, fmt.Errorf("%w: %s", queue.ErrNotFound, id)
	}
	p := s.takePaper()
	defer s.givePaper(p)
	for i := range log {
		a := &log[i]
		response, ours := bytes.CutPrefix(a.Response, []byte(responseMarker))
		if !ours {
			continue
		}
		if a.Response, err = p.openResponse(ctx, records[0].Lane.Profile, id, a, response); err != nil {
			a.Note = joinNotes(a.Note, fmt.Sprintf("the response cannot be opened: %v", err))
		}
	}
	return log, nil
}

func (p *paper) openResponse(ctx context.Context, profile string, id transport.ID, a *queue.Attempt, blob []byte) ([]byte, error) {
	e, err := decodeEnvelope(blob)
	if err != nil {
		return nil, err
	}
	key, err := p.keys.Find(ctx, profile, e.key)
	if err != nil {
		return nil, err
	}
	p.data = responseData(p.data[:0], profile, id, a)
	response, err := key.AEAD().Open(nil, e.nonce, e.box, p.data)
	if err != nil {
		return nil, ErrDamaged
	}
	return response, nil
}

func joinNotes(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// maxLeased is how many leases are remembered. More than that are not at work at
// once, so that the most of them have run out.
const maxLeased = 1 << 14

// leasedProfiles remembers whose the leased messages are.
type leasedProfiles struct {
	mu sync.Mutex
	of map[transport.ID]string
}

func (l *leasedProfiles) add(leased []queue.Leased) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil || len(l.of)+len(leased) > maxLeased {
		l.of = map[transport.ID]string{}
	}
	for i := range leased {
		l.of[leased[i].ID] = leased[i].Lane.Profile
	}
}

// remove forgets the messages of outcomes. It returns the profiles of those that
// have a response.
func (l *leasedProfiles) remove(outcomes []queue.Outcome) map[transport.ID]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var profiles map[transport.ID]string
	for i := range outcomes {
		profile, known := l.of[outcomes[i].ID]
		delete(l.of, outcomes[i].ID)
		if !hasResponse(&outcomes[i]) {
			continue
		}
		if profiles == nil {
			profiles = make(map[transport.ID]string, len(outcomes))
		}
		if known {
			profiles[outcomes[i].ID] = profile
		}
	}
	return profiles
}

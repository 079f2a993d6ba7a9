package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// finding is whether what happened at one place is as expected.
type finding struct {
	Place  string `json:"place"`
	Expect string `json:"expect"`
	OK     bool   `json:"ok"`
	Fault  string `json:"fault,omitempty"`
}

// check looks at every place.
func (d *demo) check(ctx context.Context) []finding {
	var findings []finding
	for _, p := range d.places {
		letters := d.lettersTo(p)
		err := errors.Join(p.check(p, letters), d.checkListed(ctx, p, letters))
		f := finding{Place: p.name, Expect: count(len(letters), "message") + ": " + p.expect, OK: err == nil}
		if err != nil {
			f.Fault = oneLine(err.Error())
		}
		findings = append(findings, f)
	}
	return findings
}

// checkListed sees to it that the dead letters of a place, and no others, are
// listed as such.
func (d *demo) checkListed(ctx context.Context, p *place, letters []*letter) error {
	page, err := d.own.client.List(ctx, client.ListQuery{State: "dead", Endpoint: p.url})
	if err != nil {
		return err
	}
	dead := 0
	for _, letter := range letters {
		isDead := letter.view.Result == queue.Dead
		if isDead {
			dead++
		}
		listed := slices.ContainsFunc(page.Messages, func(m agent.MessageView) bool { return m.ID == letter.id })
		if listed != isDead {
			return fmt.Errorf("%s: dead is %v, but listed among the dead letters is %v", letter.name, isDead, listed)
		}
	}
	if len(page.Messages) != dead {
		return fmt.Errorf("%s listed, want %d", count(len(page.Messages), "dead letter"), dead)
	}
	return nil
}

// checkHealthy wants each letter there, once, at the first attempt.
func checkHealthy(p *place, letters []*letter) error {
	faults := []error{checkArrived(p, letters)}
	for _, letter := range letters {
		if n := letter.view.AttemptsMade; n != 1 {
			faults = append(faults, fmt.Errorf("%s took %d attempts", letter.name, n))
		}
	}
	if n := len(p.received()); n != len(letters) {
		faults = append(faults, fmt.Errorf("%s came", count(n, "request")))
	}
	return errors.Join(faults...)
}

// checkFlaky wants each letter there, and the two failures retried.
func checkFlaky(p *place, letters []*letter) error {
	faults := []error{checkArrived(p, letters)}
	refused, attempts := 0, 0
	for _, letter := range letters {
		for _, attempt := range letter.view.Attempts {
			attempts++
			if attempt.Code == "503" && attempt.Class == transport.Temporary {
				refused++
			}
		}
	}
	if refused != demoFailures || attempts != len(letters)+demoFailures {
		faults = append(faults, fmt.Errorf("%d of %d attempts were answered 503", refused, attempts))
	}
	return errors.Join(faults...)
}

// checkDown wants each letter dead after all its attempts.
func checkDown(_ *place, letters []*letter) error {
	var faults []error
	for _, letter := range letters {
		view := &letter.view
		if view.Result != queue.Dead || view.Status != "undeliverable" || view.AttemptsMade != demoAttempts || view.Evidence != transport.None {
			faults = append(faults, fmt.Errorf("%s is %s (%s) after %d attempts, with evidence %s",
				letter.name, outcome(view), view.Status, view.AttemptsMade, view.Evidence))
		}
	}
	return errors.Join(faults...)
}

// checkSocket wants each letter there, once, at the first attempt.
func checkSocket(p *place, letters []*letter) error {
	return checkBodies(p.bodies(), letters, "queued_for_delivery", transport.Acknowledged)
}

// checkBroker wants each letter accepted at the first attempt, and received.
func checkBroker(p *place, letters []*letter) error {
	return checkBodies(p.bodies(), letters, "sent_to_external_queue", transport.Accepted)
}

// checkMobile wants the letters there, once, in the order in which they were sent.
func checkMobile(p *place, letters []*letter) error {
	faults := []error{checkBodies(p.bodies(), letters, "sent_to_session", transport.Acknowledged)}
	for i, body := range p.bodies() {
		if i < len(letters) && !bytes.Equal(body, letters[i].line) {
			faults = append(faults, fmt.Errorf("message %d came out of order", i+1))
		}
	}
	return errors.Join(faults...)
}

// checkBodies wants each letter to have come once, at the first attempt, with a
// status and evidence.
func checkBodies(bodies [][]byte, letters []*letter, status string, evidence transport.Evidence) error {
	var faults []error
	for _, letter := range letters {
		came := 0
		for _, body := range bodies {
			if bytes.Equal(body, letter.line) {
				came++
			}
		}
		if view := &letter.view; came != 1 || view.Evidence != evidence || view.AttemptsMade != 1 || view.Status != status {
			faults = append(faults, fmt.Errorf("%s came %d times: %s (%s) after %d attempts, with evidence %s",
				letter.name, came, outcome(view), view.Status, view.AttemptsMade, view.Evidence))
		}
	}
	if len(bodies) != len(letters) {
		faults = append(faults, fmt.Errorf("%s came", count(len(bodies), "message")))
	}
	return errors.Join(faults...)
}

// bodies are the payloads of what came.
func (p *place) bodies() [][]byte {
	var all [][]byte
	for _, message := range p.received() {
		all = append(all, message.Payload)
	}
	return all
}

// checkArrived wants each letter delivered and acknowledged, and every request of
// it to have carried the very bytes that were sent.
func checkArrived(p *place, letters []*letter) error {
	byID := map[string]*letter{}
	arrived := map[string]bool{}
	var faults []error
	for _, letter := range letters {
		byID[letter.id.String()] = letter
		if view := &letter.view; view.Result != queue.Delivered || view.Evidence != transport.Acknowledged {
			faults = append(faults, fmt.Errorf("%s is %s, with evidence %s", letter.name, outcome(view), view.Evidence))
		}
	}
	for _, message := range p.received() {
		id := message.Headers[demoIDHeader]
		letter := byID[id]
		switch {
		case letter == nil:
			faults = append(faults, errors.New("a request came that nobody sent"))
		case !bytes.Equal(message.Payload, letter.line):
			faults = append(faults, fmt.Errorf("%s arrived with other bytes", letter.name))
		default:
			arrived[id] = true
		}
	}
	if len(arrived) != len(letters) {
		faults = append(faults, fmt.Errorf("%d of %d messages came", len(arrived), len(letters)))
	}
	return errors.Join(faults...)
}

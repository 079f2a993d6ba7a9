package queuetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// precision is how exactly a store keeps times.
const precision = time.Millisecond

// laneA and laneB belong to one profile, otherLane to another.
func laneA() queue.Lane     { return laneNamed("a") }
func laneB() queue.Lane     { return laneNamed("b") }
func otherLane() queue.Lane { return queue.Lane{Profile: "other", Destination: laneA().Destination} }

func laneNamed(name string) queue.Lane {
	return queue.Lane{Profile: "acme", Destination: "https://" + name + ".example.com"}
}

// advance lets time pass: in a bubble at once.
func (x *trial) advance(d time.Duration) {
	if d > 0 {
		<-time.NewTimer(d).C
	}
}

// message returns a message for a lane.
func (x *trial) message(lane queue.Lane) queue.Message { return newMessage(x.store, lane) }

func newMessage(store queue.Store, lane queue.Lane) queue.Message {
	return queue.Message{
		ID: store.NewID(), Lane: lane, Endpoint: lane.Destination + "/inbox",
		URI: transport.NewSecret(lane.Destination + "/inbox#key"), Format: "raw", ContentType: "text/plain",
		Payload: []byte("payload"), Metadata: transport.Metadata{"name": "value"},
	}
}

// enqueue keeps messages, none of which is a duplicate, and returns their ids.
func (x *trial) enqueue(messages ...queue.Message) []transport.ID {
	x.Helper()
	results, err := x.store.Enqueue(x.Context(), messages)
	if err != nil {
		x.Fatalf("enqueue: %v", err)
	}
	if len(results) != len(messages) {
		x.Fatalf("enqueue gave %d results for %d messages", len(results), len(messages))
	}
	ids := make([]transport.ID, len(results))
	for i, result := range results {
		if ids[i] = result.ID; result.Duplicate || result.ID != messages[i].ID {
			x.Fatalf("enqueue: result %d is %+v, want that message %s is kept", i, result, messages[i].ID)
		}
	}
	return ids
}

// add keeps n messages for a lane, in one batch, and returns their ids.
func (x *trial) add(lane queue.Lane, n int) []transport.ID {
	x.Helper()
	batch := make([]queue.Message, n)
	for i := range batch {
		batch[i] = x.message(lane)
	}
	return x.enqueue(batch...)
}

// budget leases at most a number of messages from a lane for ten units, and
// returns when the lane has its next.
func (x *trial) budget(lane queue.Lane, most int) ([]queue.Leased, time.Time) {
	x.Helper()
	budgets := []queue.Budget{{Lane: lane, Max: most}}
	leased, err := x.store.Lease(x.Context(), queue.LeaseRequest{TTL: 10 * x.unit, Budgets: budgets}, nil)
	if err != nil {
		x.Fatalf("lease: %v", err)
	}
	return leased, budgets[0].NextAt
}

// lease leases exactly n messages from a lane, for ten units.
func (x *trial) lease(lane queue.Lane, n int) []queue.Leased {
	x.Helper()
	leased, _ := x.budget(lane, n)
	if len(leased) != n {
		x.Fatalf("leased %d messages from %s, want %d", len(leased), lane.Destination, n)
	}
	return leased
}

// leaseNone checks that a lane has nothing to lease.
func (x *trial) leaseNone(lane queue.Lane) {
	x.Helper()
	if leased, _ := x.budget(lane, 1); len(leased) != 0 {
		x.Fatalf("leased %s from %s, want nothing", leased[0].ID, lane.Destination)
	}
}

// settle ends leases, all of which are alive.
func (x *trial) settle(outcomes ...queue.Outcome) {
	x.Helper()
	faults, err := x.store.Settle(x.Context(), outcomes)
	if err != nil || faults != nil {
		x.Fatalf("settle: %v, %v", faults, err)
	}
}

// end settles leases with a verdict, and a retry or release with an instant.
func (x *trial) end(verdict queue.Verdict, at time.Time, leased ...queue.Leased) {
	x.Helper()
	outcomes := make([]queue.Outcome, len(leased))
	for i := range leased {
		outcomes[i] = queue.Outcome{LeaseRef: leased[i].Ref(), Verdict: verdict, At: at}
	}
	x.settle(outcomes...)
}

// lost checks that a lease can neither be settled nor extended.
func (x *trial) lost(ref queue.LeaseRef) {
	x.Helper()
	faults, err := x.store.Extend(x.Context(), []queue.LeaseRef{ref}, x.unit)
	if err != nil || len(faults) != 1 || !errors.Is(faults[0], queue.ErrLeaseLost) {
		x.Errorf("extend says %v, %v, want that the lease is lost", faults, err)
	}
	faults, err = x.store.Settle(x.Context(), []queue.Outcome{{LeaseRef: ref, Verdict: queue.VerdictDelivered}})
	if err != nil || len(faults) != 1 || !errors.Is(faults[0], queue.ErrLeaseLost) {
		x.Errorf("settle says %v, %v, want that the lease is lost", faults, err)
	}
}

// get returns a record, with its payload.
func (x *trial) get(id transport.ID) queue.Record {
	x.Helper()
	records, err := x.store.Get(x.Context(), []transport.ID{id}, true)
	if err != nil || len(records) != 1 || records[0].ID != id {
		x.Fatalf("get %s: %d records, %v", id, len(records), err)
	}
	return records[0]
}

// has checks the state and result of records.
func (x *trial) has(state queue.State, result queue.Result, ids ...transport.ID) {
	x.Helper()
	for _, id := range ids {
		if r := x.get(id); r.State != state || r.Result != result {
			x.Errorf("record %s is %s %s, want %s %s", id, r.State, r.Result, state, result)
		}
	}
}

// gone checks that ids are not known.
func (x *trial) gone(ids ...transport.ID) {
	x.Helper()
	records, err := x.store.Get(x.Context(), ids, false)
	if err != nil || len(records) != 0 {
		x.Errorf("get gives %d of %d records that are gone, %v", len(records), len(ids), err)
	}
}

// pages calls a method that answers pages until it has given all.
func (x *trial) pages(call pageCall, q queue.Query) []queue.Record {
	x.Helper()
	var all []queue.Record
	for {
		page, err := call(x.Context(), q)
		if err != nil {
			x.Fatalf("page behind %s: %v", q.After, err)
		}
		if len(page.Records) > q.PageLimit() {
			x.Fatalf("a page has %d records, of %d allowed", len(page.Records), q.PageLimit())
		}
		all = append(all, page.Records...)
		if page.Next.IsZero() {
			return all
		}
		if q.After == page.Next {
			x.Fatalf("the page behind %s names itself as the next", q.After)
		}
		q.After = page.Next
	}
}

// log returns a message's attempts.
func (x *trial) log(id transport.ID) []queue.Attempt {
	x.Helper()
	log, err := x.store.Attempts(x.Context(), id)
	if err != nil {
		x.Fatalf("attempts: %v", err)
	}
	return log
}

// same checks a list of ids.
func same(tb testing.TB, what string, got, want []transport.ID) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func leasedIDs(leased []queue.Leased) []transport.ID {
	ids := make([]transport.ID, len(leased))
	for i := range leased {
		ids[i] = leased[i].ID
	}
	return ids
}

func recordIDs(records []queue.Record) []transport.ID {
	ids := make([]transport.ID, len(records))
	for i := range records {
		ids[i] = records[i].ID
	}
	return ids
}

// at checks an instant that the store was given.
func (x *trial) at(what string, got, want time.Time) {
	x.Helper()
	if !near(got, want, precision) {
		x.Errorf("%s is %v, want %v", what, got, want)
	}
}

// about checks an instant that the store read from its clock.
func (x *trial) about(what string, got, want time.Time) {
	x.Helper()
	if !near(got, want, x.slack) {
		x.Errorf("%s is %v, want about %v", what, got, want)
	}
}

// near reports whether two times are the same, but for a little. The zero time
// is near to itself alone.
func near(a, b time.Time, slack time.Duration) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() && b.IsZero()
	}
	return a.Sub(b).Abs() <= slack
}

// diffMessages tells the first difference between two messages; "" is none.
func diffMessages(got, want *queue.Message) string {
	for _, diff := range []func(got, want *queue.Message) string{diffPlaces, diffPolicies, diffPayloads} {
		if text := diff(got, want); text != "" {
			return text
		}
	}
	return ""
}

// diffPlaces compares what a message is called and where it goes.
func diffPlaces(got, want *queue.Message) string {
	switch {
	case got.ID != want.ID:
		return fmt.Sprintf("ID is %s, want %s", got.ID, want.ID)
	case got.Lane != want.Lane:
		return fmt.Sprintf("Lane is %v, want %v", got.Lane, want.Lane)
	case got.Endpoint != want.Endpoint:
		return fmt.Sprintf("Endpoint is %q, want %q", got.Endpoint, want.Endpoint)
	case got.Target != want.Target || !slices.EqualFunc(got.Targets, want.Targets, sameTarget):
		return fmt.Sprintf("Target is %d of %v, want %d of %v", got.Target, got.Targets, want.Target, want.Targets)
	default:
		return ""
	}
}

func sameTarget(a, b queue.Target) bool { return a.Lane == b.Lane && a.Endpoint == b.Endpoint }

func sameURI(a, b queue.Target) bool { return a.URI.Equal(b.URI) }

// diffPolicies compares how a message is to be treated.
func diffPolicies(got, want *queue.Message) string {
	switch {
	case got.IdempotencyKey != want.IdempotencyKey || got.Retry != want.Retry:
		return fmt.Sprintf("IdempotencyKey and Retry are %q, %q, want %q, %q",
			got.IdempotencyKey, got.Retry, want.IdempotencyKey, want.Retry)
	case got.SkipBlocked != want.SkipBlocked:
		return fmt.Sprintf("SkipBlocked is %v, want %v", got.SkipBlocked, want.SkipBlocked)
	case got.Priority != want.Priority || got.OrderingKey != want.OrderingKey || got.MinEvidence != want.MinEvidence:
		return fmt.Sprintf("Priority, OrderingKey and MinEvidence are %d, %q, %v, want %d, %q, %v",
			got.Priority, got.OrderingKey, got.MinEvidence, want.Priority, want.OrderingKey, want.MinEvidence)
	case !near(got.NotBefore, want.NotBefore, precision) || !near(got.ExpiresAt, want.ExpiresAt, precision):
		return fmt.Sprintf("NotBefore and ExpiresAt are %v, %v, want %v, %v",
			got.NotBefore, got.ExpiresAt, want.NotBefore, want.ExpiresAt)
	default:
		return ""
	}
}

// withoutPayload returns the message as it is where its payload is not asked for.
func withoutPayload(m queue.Message) queue.Message {
	m.Payload, m.Metadata, m.URI = nil, nil, transport.Secret{}
	m.Targets = slices.Clone(m.Targets)
	for i := range m.Targets {
		m.Targets[i].URI = transport.Secret{}
	}
	return m
}

func diffPayloads(got, want *queue.Message) string {
	switch {
	case !got.URI.Equal(want.URI) || !slices.EqualFunc(got.Targets, want.Targets, sameURI):
		return "URI differs"
	case got.Format != want.Format || got.ContentType != want.ContentType || got.Text != want.Text:
		return fmt.Sprintf("Format, ContentType and Text are %q, %q, %v, want %q, %q, %v",
			got.Format, got.ContentType, got.Text, want.Format, want.ContentType, want.Text)
	case !bytes.Equal(got.Payload, want.Payload):
		return fmt.Sprintf("Payload is %q, want %q", got.Payload, want.Payload)
	case !maps.Equal(got.Metadata, want.Metadata):
		return fmt.Sprintf("Metadata is %v, want %v", got.Metadata, want.Metadata)
	default:
		return ""
	}
}

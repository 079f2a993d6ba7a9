package queuetest

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// compare looks at everything.
func (m *machine) compare(t *rapid.T) {
	m.begin()
	var ids []transport.ID
	q := queue.Query{Limit: 5}
	for more := true; more; more = !q.After.IsZero() {
		page, err := m.store.List(t.Context(), q)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		ids = append(ids, recordIDs(page.Records)...)
		q.After = page.Next
	}
	records, err := m.store.Get(t.Context(), ids, true)
	if err != nil || len(records) != len(m.model.records) || len(ids) != len(records) {
		t.Fatalf("%d records are listed and %d found, %v, want %d", len(ids), len(records), err, len(m.model.records))
	}
	for i, want := range m.model.records {
		m.record(t, &records[i], want, true)
		m.log(t, want)
	}
	m.compareDue(t)
	m.compareStats(t)
}

func (m *machine) record(t *rapid.T, got *queue.Record, r *modelRecord, withPayload bool) {
	want := r.Record
	if !withPayload || r.Result == queue.Delivered { // a store may let go of what is delivered
		want.Message, got.Message = withoutPayload(want.Message), withoutPayload(got.Message)
	}
	switch {
	case r.done(), r.parked, r.marked, !r.until.IsZero():
	case m.model.expired(r), r.lapsed && !got.NextAt.After(m.model.now) && !got.NextAt.IsZero():
		want.NextAt = got.NextAt
	case m.model.waits(r) && got.NextAt.IsZero():
	case near(got.NextAt, r.turnAt, m.model.slack):
		_, want.NextAt = r.window()
	default:
		want.NextAt = r.due
	}
	if diff := diffRecordsWithin(got, &want, m.model.slack); diff != "" {
		t.Fatalf("record %s: %s", r.ID, diff)
	}
}

func (m *machine) log(t *rapid.T, r *modelRecord) {
	log, err := m.store.Attempts(t.Context(), r.ID)
	if err != nil || len(log) != len(r.log) {
		t.Fatalf("the log of %s has %d entries, %v, want %d", r.ID, len(log), err, len(r.log))
	}
	for i := range log {
		if diff := diffAttempts(&log[i], &r.log[i]); diff != "" {
			t.Fatalf("the log of %s, entry %d: %s", r.ID, i, diff)
		}
	}
}

func (m *machine) compareDue(t *rapid.T) {
	due, err := m.store.Due(t.Context(), queue.Lane{}, 10)
	want := m.model.due()
	if err != nil || len(due) != len(want) {
		t.Fatalf("due: %v, %v, want %v", due, err, want)
	}
	for _, lane := range due {
		m.nextAt(t, fmt.Sprint("due: ", lane.Lane), lane.NextAt, want[lane.Lane])
	}
}

func (m *machine) compareStats(t *rapid.T) {
	groups, err := m.store.Stats(t.Context(), queue.ByLane)
	want := m.model.stats()
	if err != nil || len(groups) != len(want) {
		t.Fatalf("stats: %+v, %v, want %+v", groups, err, want)
	}
	for _, got := range groups {
		want := want[got.Lane]
		if near(got.Oldest, want.Oldest, m.model.slack) {
			got.Oldest = want.Oldest
		}
		if got != want {
			t.Fatalf("stats: %+v, want %+v", got, want)
		}
	}
}

// diffRecords tells the first difference between two records; "" is none.
func diffRecords(got, want *queue.Record) string { return diffRecordsWithin(got, want, precision) }

func diffRecordsWithin(got, want *queue.Record, slack time.Duration) string {
	if diff := diffMessages(&got.Message, &want.Message); diff != "" {
		return diff
	}
	type plain struct {
		state    queue.State
		result   queue.Result
		status   string
		evidence transport.Evidence
		attempts int
		replays  int
		err      string
		bytes    int64
	}
	plainOf := func(r *queue.Record) plain {
		return plain{r.State, r.Result, r.Status, r.Evidence, r.Attempts, r.Replays, r.LastError, r.Bytes}
	}
	if got, want := plainOf(got), plainOf(want); got != want {
		return fmt.Sprintf("is %+v, want %+v", got, want)
	}
	for _, pair := range []struct {
		name      string
		got, want time.Time
	}{
		{"CreatedAt", got.CreatedAt, want.CreatedAt}, {"QueuedAt", got.QueuedAt, want.QueuedAt},
		{"UpdatedAt", got.UpdatedAt, want.UpdatedAt}, {"NextAt", got.NextAt, want.NextAt},
	} {
		if !near(pair.got, pair.want, slack) {
			return fmt.Sprintf("%s is %v, want %v", pair.name, pair.got, pair.want)
		}
	}
	return ""
}

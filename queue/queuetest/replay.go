package queuetest

import (
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func replayCases() []testCase {
	return []testCase{
		{name: "what is dead, expired or cancelled", run: replayDone},
		{name: "what is selected", run: replaySelected},
		{name: "not what is delivered or waits", run: replayOthers},
		{name: "the log goes on", run: replayLog},
		{name: "times", run: replayTimes},
		{name: "the payload", run: replayPayload},
	}
}

// replay replays all that q selects.
func (x *trial) replay(q queue.Query) []queue.Record {
	x.Helper()
	return x.pages(x.store.Replay, q)
}

// finished adds a message and ends it with a verdict.
func (x *trial) finished(lane queue.Lane, verdict queue.Verdict) transport.ID {
	x.Helper()
	id := x.add(lane, 1)[0]
	x.settle(queue.Outcome{LeaseRef: x.lease(lane, 1)[0].Ref(), Verdict: verdict, Status: queue.StatusUndeliverable})
	return id
}

func replayDone(x *trial) {
	ids := []transport.ID{x.finished(laneA(), queue.VerdictDead), x.finished(laneA(), queue.VerdictExpired), x.add(laneA(), 1)[0]}
	x.cancel(queue.Query{})
	created := time.Now()
	x.advance(x.unit / 4)
	replayed := time.Now()
	records := x.replay(queue.Query{})
	same(x, "replayed", recordIDs(records), ids)
	for _, r := range records {
		if r.State != queue.StatePending || r.Result != "" || r.Attempts != 0 || r.Replays != 1 || r.Status != queue.StatusQueued {
			x.Errorf("replayed: %+v", r)
		}
		x.about("CreatedAt", r.CreatedAt, created)
		x.about("QueuedAt", r.QueuedAt, replayed)
		x.about("UpdatedAt", r.UpdatedAt, replayed)
		x.about("NextAt", r.NextAt, replayed)
	}
	leased := x.lease(laneA(), 3)
	for _, l := range leased {
		if l.Attempt != 1 || l.Replays != 1 {
			x.Errorf("leased after a replay: attempt %d, replay %d", l.Attempt, l.Replays)
		}
		x.about("QueuedAt", l.QueuedAt, replayed)
	}
	x.end(queue.VerdictDead, time.Time{}, leased...)
	if records := x.replay(queue.Query{}); len(records) != 3 || records[0].Replays != 2 {
		x.Errorf("replayed again: %+v", records)
	}
}

func replaySelected(x *trial) {
	var ids []transport.ID
	for range 6 {
		ids = append(ids, x.finished(laneA(), queue.VerdictDead))
	}
	inB := x.finished(laneB(), queue.VerdictDead)
	page, err := x.store.Replay(x.Context(), queue.Query{Destination: laneA().Destination, Limit: 2})
	if err != nil {
		x.Fatal(err)
	}
	same(x, "the first page", recordIDs(page.Records), ids[:2])
	rest := queue.Query{Destination: laneA().Destination, Limit: 2, After: page.Next}
	same(x, "the rest", recordIDs(x.replay(rest)), ids[2:])
	x.has(queue.StateDone, queue.Dead, inB)
	same(x, "leased", leasedIDs(x.lease(laneA(), 6)), ids)
	x.leaseNone(laneB())
}

func replayOthers(x *trial) {
	delivered := x.finished(laneA(), queue.VerdictDelivered)
	parked := x.finished(laneA(), queue.VerdictPark)
	leased := x.add(laneA(), 1)[0]
	x.lease(laneA(), 1)
	waiting := x.add(laneA(), 1)[0]
	if records := x.replay(queue.Query{}); len(records) != 0 {
		x.Errorf("replayed %v", records)
	}
	x.has(queue.StateDone, queue.Delivered, delivered)
	x.has(queue.StatePending, "", parked, waiting)
	x.has(queue.StateDeliver, "", leased)
}

func replayLog(x *trial) {
	id := x.add(laneA(), 1)[0]
	fail := func(verdict queue.Verdict, text string) {
		x.settle(queue.Outcome{
			LeaseRef: x.lease(laneA(), 1)[0].Ref(), Verdict: verdict,
			Attempt: &queue.Attempt{Error: text, Evidence: transport.Written},
		})
	}
	fail(queue.VerdictRetry, "first")
	fail(queue.VerdictDead, "second")
	r := x.replay(queue.Query{})[0]
	if r.LastError != "second" || r.Evidence != transport.Written {
		x.Errorf("a replay forgot: error %q, evidence %v", r.LastError, r.Evidence)
	}
	fail(queue.VerdictDead, "third")
	log := x.log(id)
	if len(log) != 3 {
		x.Fatalf("the log has %d entries, want 3", len(log))
	}
	for i, text := range []string{"first", "second", "third"} {
		if log[i].N != i+1 || log[i].Error != text {
			x.Errorf("entry %d is %d %q, want %q", i+1, log[i].N, log[i].Error, text)
		}
	}
	if r := x.get(id); r.Attempts != 1 {
		x.Errorf("Attempts is %d, want 1 since the replay", r.Attempts)
	}
}

func replayTimes(x *trial) {
	gone, alive, waits := x.message(laneA()), x.message(laneA()), x.message(laneA())
	gone.ExpiresAt = time.Now().Add(x.unit)
	alive.ExpiresAt = time.Now().Add(50 * x.unit)
	waits.NotBefore = time.Now().Add(60 * x.unit)
	x.enqueue(gone, alive, waits)
	x.advance(x.unit + precision)
	x.expire(10, gone.ID)
	x.cancel(queue.Query{})
	x.replay(queue.Query{})
	x.at("ExpiresAt that has passed", x.get(gone.ID).ExpiresAt, time.Time{})
	x.at("ExpiresAt to come", x.get(alive.ID).ExpiresAt, alive.ExpiresAt)
	x.at("NextAt by NotBefore", x.get(waits.ID).NextAt, waits.NotBefore)
	x.at("the next to expire", x.expire(10), alive.ExpiresAt)
	leased := x.lease(laneA(), 2)
	same(x, "leased", leasedIDs(leased), []transport.ID{gone.ID, alive.ID})
	x.at("the leased ExpiresAt", leased[0].ExpiresAt, time.Time{})
	x.leaseNone(laneA())
}

func replayPayload(x *trial) {
	m := x.fullMessage(laneA())
	m.ExpiresAt = time.Time{}
	want := m
	want.Metadata = m.Metadata.Clone()
	x.enqueue(m)
	x.end(queue.VerdictDead, time.Time{}, x.lease(laneA(), 1)...)
	x.replay(queue.Query{})
	leased := x.lease(laneA(), 1)[0]
	if diff := diffMessages(&leased.Message, &want); diff != "" {
		x.Errorf("after a replay: %s", diff)
	}
}

package queuetest

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func attemptCases() []testCase {
	return []testCase{
		{name: "every field is kept", run: attemptFields},
		{name: "no attempt yet", run: noAttempts},
		{name: "a long log", run: longLog},
		{name: "what is given out is a copy", run: attemptCopies},
		{name: "an attempt of a release", run: attemptOfRelease},
	}
}

func attemptFields(x *trial) {
	id := x.add(laneA(), 1)[0]
	want := []queue.Attempt{
		{
			StartedAt: time.Now().Add(-x.unit), Duration: 1234567 * time.Nanosecond, Class: transport.Throttled,
			Evidence: transport.Written, Code: "503", Error: "busy", Note: "cut short", Response: []byte("<p>\x00\xff"),
		},
		{StartedAt: time.Now(), Class: transport.Unknown, Error: "reset", Target: 2},
		{Class: transport.Success, Evidence: transport.Acknowledged, Code: "200"},
	}
	for i, verdict := range []queue.Verdict{queue.VerdictRetry, queue.VerdictRetry, queue.VerdictDelivered} {
		attempt := want[i]
		x.settle(queue.Outcome{LeaseRef: x.lease(laneA(), 1)[0].Ref(), Verdict: verdict, Attempt: &attempt})
		attempt = queue.Attempt{Error: "overwritten by the caller"}
	}
	got := x.log(id)
	if len(got) != len(want) {
		x.Fatalf("the log has %d entries, want %d", len(got), len(want))
	}
	for i := range want {
		want[i].N = i + 1
		if diff := diffAttempts(&got[i], &want[i]); diff != "" {
			x.Errorf("entry %d: %s", i+1, diff)
		}
	}
}

// diffAttempts tells the first difference between two entries; "" is none.
func diffAttempts(got, want *queue.Attempt) string {
	switch {
	case got.N != want.N:
		return fmt.Sprintf("N is %d, want %d", got.N, want.N)
	case !near(got.StartedAt, want.StartedAt, precision) || (got.Duration-want.Duration).Abs() > precision:
		return fmt.Sprintf("StartedAt and Duration are %v, %v, want %v, %v", got.StartedAt, got.Duration, want.StartedAt, want.Duration)
	case got.Target != want.Target:
		return fmt.Sprintf("Target is %d, want %d", got.Target, want.Target)
	case got.Class != want.Class || got.Evidence != want.Evidence:
		return fmt.Sprintf("Class and Evidence are %q, %v, want %q, %v", got.Class, got.Evidence, want.Class, want.Evidence)
	case got.Code != want.Code || got.Error != want.Error || got.Note != want.Note:
		return fmt.Sprintf("Code, Error and Note are %q, %q, %q, want %q, %q, %q", got.Code, got.Error, got.Note, want.Code, want.Error, want.Note)
	case !bytes.Equal(got.Response, want.Response):
		return fmt.Sprintf("Response is %q, want %q", got.Response, want.Response)
	default:
		return ""
	}
}

func noAttempts(x *trial) {
	if log := x.log(x.add(laneA(), 1)[0]); len(log) != 0 {
		x.Errorf("the log of a new message is %+v", log)
	}
	x.end(queue.VerdictRetry, time.Time{}, x.lease(laneA(), 1)...)
	log, err := x.store.Attempts(x.Context(), x.store.NewID())
	if !errors.Is(err, queue.ErrNotFound) {
		x.Errorf("the log of an unknown id: %v, %v, want ErrNotFound", log, err)
	}
}

// longLog: a store may drop from the middle.
func longLog(x *trial) {
	const n = 130
	id := x.add(laneA(), 1)[0]
	for i := range n {
		x.settle(queue.Outcome{
			LeaseRef: x.lease(laneA(), 1)[0].Ref(), Verdict: queue.VerdictRetry, Attempt: &queue.Attempt{Error: fmt.Sprint(i + 1)},
		})
	}
	log := x.log(id)
	if len(log) < 10 || log[0].N != 1 || log[len(log)-1].N != n {
		x.Fatalf("%d of %d entries are left: %+v", len(log), n, log)
	}
	for i, entry := range log {
		if entry.Error != fmt.Sprint(entry.N) || i > 0 && entry.N <= log[i-1].N {
			x.Errorf("entry %d has N %d and error %q", i, entry.N, entry.Error)
		}
	}
	if r := x.get(id); r.Attempts != n || r.LastError != fmt.Sprint(n) {
		x.Errorf("Attempts is %d and LastError %q, want %d", r.Attempts, r.LastError, n)
	}
}

func attemptCopies(x *trial) {
	id := x.add(laneA(), 1)[0]
	x.settle(queue.Outcome{
		LeaseRef: x.lease(laneA(), 1)[0].Ref(), Verdict: queue.VerdictRetry, Attempt: &queue.Attempt{Response: []byte("answer")},
	})
	clear(x.log(id)[0].Response)
	if got := x.log(id)[0].Response; string(got) != "answer" {
		x.Errorf("the log was changed from outside: %q", got)
	}
}

func attemptOfRelease(x *trial) {
	id := x.add(laneA(), 1)[0]
	for range 2 {
		x.settle(queue.Outcome{
			LeaseRef: x.lease(laneA(), 1)[0].Ref(), Verdict: queue.VerdictRelease, Attempt: &queue.Attempt{Error: "cut short"},
		})
	}
	if log := x.log(id); len(log) != 2 || log[0].N != 1 || log[1].N != 2 {
		x.Errorf("the log is %+v, want two entries", log)
	}
	if r := x.get(id); r.Attempts != 0 || r.State != queue.StatePending {
		x.Errorf("the record is %s after %d attempts, want pending", r.State, r.Attempts)
	}
}

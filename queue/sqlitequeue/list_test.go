package sqlitequeue

import (
	"fmt"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// crowd makes a store in which few are what most queries ask for.
func crowd(t *testing.T, n int) *Store {
	t.Helper()
	s := testOpen(t, t.TempDir(), Options{Window: 1})
	f := filler{T: t, store: s}
	for _, verdict := range []queue.Verdict{queue.VerdictDead, queue.VerdictRetry} {
		f.put("few", func(*queue.Message) {})
		f.end("few", queue.Outcome{Verdict: verdict, At: time.Now().Add(time.Hour), Attempt: &queue.Attempt{}})
	}
	batch := make([]queue.Message, n)
	for i := range batch {
		batch[i] = queue.Message{ID: s.NewID(), Lane: laneOf("many"), Endpoint: "https://many.example/inbox"}
		if i%(n/50) == 0 { // a profile with many lanes, and little in each
			batch[i].Lane = queue.Lane{Profile: "tenant", Destination: fmt.Sprintf("https://%d.example", i)}
		}
	}
	batch[n-1].Endpoint = "https://many.example/other"
	testEnqueue(t, s, batch...)
	_, err := s.Lease(t.Context(), queue.LeaseRequest{TTL: time.Hour, Budgets: []queue.Budget{{Lane: laneOf("many"), Max: 1}}}, nil)
	must(t, err)
	return s
}

// TestListsLookAtWhatTheyList: a list by state, result, destination or profile looks
// at nothing else, however much there is of it.
func TestListsLookAtWhatTheyList(t *testing.T) {
	t.Parallel()
	s := crowd(t, 3000)
	few := laneOf("few")
	for name, test := range map[string]struct {
		q    queue.Query
		want int
	}{
		"waits for a retry":  {queue.Query{States: []queue.State{queue.StateRetry}}, 1},
		"is being attempted": {queue.Query{States: []queue.State{queue.StateDeliver}}, 1},
		"retries of a profile": {
			queue.Query{Profile: few.Profile, States: []queue.State{queue.StateRetry}}, 1,
		},
		"retries of a crowded lane": {queue.Query{
			Profile: few.Profile, Destination: laneOf("many").Destination, States: []queue.State{queue.StateRetry},
		}, 0},
		"of a lane":                     {queue.Query{Profile: few.Profile, Destination: few.Destination}, 2},
		"dead":                          {queue.Query{Results: []queue.Result{queue.Dead}}, 1},
		"expired of a lane":             {queue.Query{Profile: few.Profile, Destination: few.Destination, Results: []queue.Result{queue.Expired}}, 0},
		"of a profile with many lanes":  {queue.Query{Profile: "tenant"}, 50},
		"the first of those that wait":  {queue.Query{States: []queue.State{queue.StatePending}, Limit: 10}, 10},
		"the latest of those that wait": {queue.Query{States: []queue.State{queue.StatePending}, Limit: 10, Descending: true}, 10},
	} {
		looked := 0
		rows, _, err := s.selectRows(t.Context(), s.read, &test.q, selection{which: func(*row) bool { looked++; return true }}, s.clock.now())
		if err != nil || len(rows) != test.want || looked > test.want+2 { // one more, to know that there is one; and one that is leased
			t.Errorf("%s: %d rows, and looked at %d, %v; want %d", name, len(rows), looked, err, test.want)
		}
	}
}

// TestCancelOfFewAmongMany: the committer looks at some of the messages at a time,
// and finds all in the end.
func TestCancelOfFewAmongMany(t *testing.T) {
	t.Parallel()
	s := crowd(t, 3*changeLooks)
	page, err := s.Cancel(t.Context(), queue.Query{Endpoint: "https://many.example/other"})
	if err != nil || len(page.Records) != 1 || !page.Next.IsZero() {
		t.Errorf("cancelled %d, next %v, %v; want the one", len(page.Records), page.Next, err)
	}
	page, err = s.Cancel(t.Context(), queue.Query{Limit: 7})
	if err != nil || len(page.Records) != 7 || page.Next != page.Records[6].ID {
		t.Errorf("cancelled %d, next %v, %v; want 7, and the last of them", len(page.Records), page.Next, err)
	}
}

package queuetest

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func listCases() []testCase {
	return []testCase{
		{name: "filters", run: filters},
		{name: "filters by time", run: filtersByTime},
		{name: "pages", run: listPages},
		{name: "limits", run: listLimits},
		{name: "ids", run: listIDs},
		{name: "behind an id that is gone", run: listBehindGone},
		{name: "while it changes", run: listWhileChanging},
	}
}

// pageCall is List, Cancel or Replay.
type pageCall func(context.Context, queue.Query) (queue.Page, error)

func compareIDs(a, b transport.ID) int { return bytes.Compare(a[:], b[:]) }

// listed checks what a query selects, in either order.
func (x *trial) listed(what string, q queue.Query, want ...transport.ID) {
	x.Helper()
	same(x, what, recordIDs(x.pages(x.store.List, q)), want)
	q.Descending = true
	want = slices.Clone(want)
	slices.Reverse(want)
	same(x, what+", descending", recordIDs(x.pages(x.store.List, q)), want)
}

func filters(x *trial) {
	var ids []transport.ID
	for _, verdict := range []queue.Verdict{queue.VerdictDelivered, queue.VerdictDead, queue.VerdictExpired, queue.VerdictPark} {
		ids = append(ids, x.finished(laneA(), verdict))
	}
	ids = append(ids, x.add(laneA(), 1)...) // 4: to be retried
	x.end(queue.VerdictRetry, time.Now().Add(x.unit), x.lease(laneA(), 1)...)
	ids = append(ids, x.add(laneB(), 1)...) // 5: leased
	x.lease(laneB(), 1)
	ids = append(ids, x.add(otherLane(), 1)...) // 6: pending
	elsewhere := x.message(laneB())
	elsewhere.Endpoint += "/elsewhere"
	ids = append(ids, x.enqueue(elsewhere)...) // 7: cancelled
	x.cancel(queue.Query{Endpoint: elsewhere.Endpoint})

	x.listed("all", queue.Query{}, ids...)
	x.listed("profile", queue.Query{Profile: "other"}, ids[6])
	x.listed("unknown profile", queue.Query{Profile: "othe"})
	x.listed("destination", queue.Query{Destination: laneB().Destination}, ids[5], ids[7])
	x.listed("profile and destination", queue.Query{Profile: "acme", Destination: laneA().Destination}, ids[:5]...)
	x.listed("endpoint", queue.Query{Endpoint: elsewhere.Endpoint}, ids[7])
	x.listed("part of an endpoint", queue.Query{Endpoint: laneB().Destination})
	x.listed("pending", queue.Query{States: []queue.State{queue.StatePending}}, ids[3], ids[6])
	x.listed("deliver", queue.Query{States: []queue.State{queue.StateDeliver}}, ids[5])
	x.listed("retry or deliver", queue.Query{States: []queue.State{queue.StateRetry, queue.StateDeliver}}, ids[4], ids[5])
	x.listed("done", queue.Query{States: []queue.State{queue.StateDone}}, ids[0], ids[1], ids[2], ids[7])
	x.listed("delivered", queue.Query{Results: []queue.Result{queue.Delivered}}, ids[0])
	x.listed("dead or cancelled", queue.Query{Results: []queue.Result{queue.Cancelled, queue.Dead}}, ids[1], ids[7])
	x.listed("expired", queue.Query{Results: []queue.Result{queue.Expired}}, ids[2])
	x.listed("without a result", queue.Query{Results: []queue.Result{""}}, ids[3:7]...)
	x.listed("dead and pending", queue.Query{States: []queue.State{queue.StatePending}, Results: []queue.Result{queue.Dead}})
	x.listed("ids and profile", queue.Query{IDs: ids[5:], Profile: "acme"}, ids[5], ids[7])
	x.listed("pages of one", queue.Query{Profile: "acme", Limit: 1}, slices.Concat(ids[:6], ids[7:])...)
}

func filtersByTime(x *trial) {
	first := x.add(laneA(), 2)
	x.advance(x.unit)
	second := x.add(laneA(), 1)
	mark := x.get(second[0]).UpdatedAt
	x.advance(x.unit)
	x.lease(laneA(), 1) // changes first[0]
	third := x.add(laneA(), 1)
	x.listed("since", queue.Query{Since: mark}, first[0], second[0], third[0])
	x.listed("since later", queue.Query{Since: mark.Add(precision)}, first[0], third[0])
	x.listed("until", queue.Query{Until: mark}, first[1])
	x.listed("until later", queue.Query{Until: mark.Add(precision)}, first[1], second[0])
	x.listed("between", queue.Query{Since: mark, Until: mark.Add(precision)}, second...)
	x.listed("never", queue.Query{Since: time.Now().Add(x.unit)})
}

func listPages(x *trial) {
	ids := x.add(laneA(), 23)
	for _, limit := range []int{1, 2, 11, 22, 23, 24} {
		x.listed("all", queue.Query{Limit: limit}, ids...)
		x.listed("of an endpoint", queue.Query{Limit: limit, Endpoint: laneA().Destination + "/inbox"}, ids...)
		x.listed("of some ids", queue.Query{Limit: limit, IDs: ids[3:]}, ids[3:]...)
	}
	page, err := x.store.List(x.Context(), queue.Query{Limit: 5, After: ids[17]})
	if err != nil || !page.Next.IsZero() {
		x.Errorf("the last page names %s as the next, %v", page.Next, err)
	}
	same(x, "the last page", recordIDs(page.Records), ids[18:])
	page, err = x.store.List(x.Context(), queue.Query{Limit: 5, After: ids[5], Descending: true})
	if err != nil || !page.Next.IsZero() {
		x.Errorf("the last page, descending, names %s as the next, %v", page.Next, err)
	}
	page, err = x.store.List(x.Context(), queue.Query{Limit: 5, After: ids[4]})
	if err != nil || page.Next != ids[9] {
		x.Errorf("a page names %s as the next, want its last record %s; %v", page.Next, ids[9], err)
	}
}

func listLimits(x *trial) {
	x.add(laneA(), queue.MaxPage+10)
	for limit, want := range map[int]int{
		0: queue.DefaultPage, -1: queue.DefaultPage, 7: 7, queue.MaxPage: queue.MaxPage, queue.MaxPage + 5: queue.MaxPage,
	} {
		page, err := x.store.List(x.Context(), queue.Query{Limit: limit})
		if err != nil || len(page.Records) != want {
			x.Errorf("limit %d gives %d records, want %d; %v", limit, len(page.Records), want, err)
		}
	}
}

func listIDs(x *trial) {
	ids := x.add(laneA(), 5)
	asked := []transport.ID{ids[3], x.store.NewID(), ids[1], ids[3], {}}
	x.listed("some ids", queue.Query{IDs: asked}, ids[1], ids[3])
	x.listed("some ids, one by one", queue.Query{IDs: asked, Limit: 1}, ids[1], ids[3])
	x.listed("unknown ids", queue.Query{IDs: []transport.ID{x.store.NewID()}})
	if asked[0] != ids[3] || asked[2] != ids[1] {
		x.Error("list changed the ids of its caller")
	}
}

func listBehindGone(x *trial) {
	ids := x.add(laneA(), 6)
	x.end(queue.VerdictDelivered, time.Time{}, x.lease(laneA(), 3)...)
	x.advance(x.unit)
	x.purge(queue.Retention{Result: queue.Delivered, Before: time.Now()}, 10, 3, false)
	same(x, "behind an id that is gone", recordIDs(x.pages(x.store.List, queue.Query{After: ids[1]})), ids[3:])
	page, err := x.store.List(x.Context(), queue.Query{After: ids[1], Descending: true})
	if err != nil || len(page.Records) != 0 {
		x.Errorf("before an id that is gone: %v, %v", page.Records, err)
	}
	unused := x.store.NewID()
	more := x.add(laneA(), 1)
	same(x, "behind an id that never was", recordIDs(x.pages(x.store.List, queue.Query{After: unused})), more)
}

// listWhileChanging: who pages while records come and go sees each record that
// stayed once, and in order.
func listWhileChanging(x *trial) {
	stay := x.add(laneA(), 500)
	x.add(laneB(), 500)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for ended := false; !ended; {
				if err := x.churn(laneB()); err != nil {
					x.Errorf("churn: %v", err)
					return
				}
				select {
				case <-stop:
					ended = true
				default:
				}
			}
		})
	}
	for round := range 6 {
		q := queue.Query{Limit: 13, Descending: round%2 == 1}
		seen := recordIDs(x.pages(x.store.List, q))
		kept := slices.DeleteFunc(slices.Clone(seen), func(id transport.ID) bool { return !slices.Contains(stay, id) })
		if q.Descending {
			slices.Reverse(kept)
			slices.Reverse(seen)
		}
		same(x, "of those that stayed", kept, stay)
		if !slices.IsSortedFunc(seen, compareIDs) {
			x.Error("the records are not in the order of their ids")
		}
	}
	close(stop)
	writers.Wait()
}

// churn adds some messages and delivers and purges as many.
func (x *trial) churn(lane queue.Lane) error {
	ctx := x.Context()
	batch := make([]queue.Message, 5)
	for i := range batch {
		batch[i] = newMessage(x.store, lane)
	}
	if _, err := x.store.Enqueue(ctx, batch); err != nil {
		return err
	}
	leased, err := x.store.Lease(ctx, queue.LeaseRequest{TTL: time.Hour, Budgets: []queue.Budget{{Lane: lane, Max: 5}}}, nil)
	if err != nil {
		return err
	}
	outcomes := make([]queue.Outcome, len(leased))
	for i := range leased {
		outcomes[i] = queue.Outcome{LeaseRef: leased[i].Ref(), Verdict: queue.VerdictDelivered}
	}
	if _, err := x.store.Settle(ctx, outcomes); err != nil {
		return err
	}
	_, _, err = x.store.Purge(ctx, queue.Retention{Result: queue.Delivered, Keep: 10}, 100)
	return err
}

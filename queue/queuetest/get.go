package queuetest

import (
	"slices"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func getCases() []testCase {
	return []testCase{
		{name: "in the order asked", run: getInOrder},
		{name: "payload only where asked for", run: getPayload},
		{name: "what is given out is a copy", run: getCopies},
		{name: "capabilities", run: capabilities},
	}
}

func getInOrder(x *trial) {
	ids := x.add(laneA(), 4)
	asked := []transport.ID{ids[2], x.store.NewID(), ids[0], {}, ids[3]}
	records, err := x.store.Get(x.Context(), asked, false)
	if err != nil {
		x.Fatal(err)
	}
	same(x, "got", recordIDs(records), []transport.ID{ids[2], ids[0], ids[3]})
	if records, err := x.store.Get(x.Context(), nil, true); err != nil || len(records) != 0 {
		x.Errorf("get of nothing: %v, %v", records, err)
	}
}

func getPayload(x *trial) {
	m := x.fullMessage(laneA())
	want := slices.Clone(m.Payload)
	x.enqueue(m)
	records, err := x.store.Get(x.Context(), []transport.ID{m.ID}, false)
	if err != nil || len(records) != 1 {
		x.Fatalf("get: %v, %v", records, err)
	}
	listed := x.pages(x.store.List, queue.Query{})
	for _, r := range append(records, listed...) {
		if r.Payload != nil || r.Metadata != nil {
			x.Errorf("payload %q and metadata %v were not asked for", r.Payload, r.Metadata)
		}
		bare := withoutPayload(m)
		if diff := diffMessages(&r.Message, &bare); diff != "" {
			x.Errorf("without payload: %s", diff)
		}
	}
	if r := x.get(m.ID); !slices.Equal(r.Payload, want) {
		x.Errorf("the payload is %q, want %q", r.Payload, want)
	}
}

// getCopies: who changes what Get gave out changes nothing in the store.
func getCopies(x *trial) {
	m := x.fullMessage(laneA())
	want := m
	want.Payload, want.Metadata, want.Targets = slices.Clone(m.Payload), m.Metadata.Clone(), slices.Clone(m.Targets)
	x.enqueue(m)
	r := x.get(m.ID)
	clear(r.Payload)
	r.Metadata["planted"] = "1"
	delete(r.Metadata, "a")
	clear(r.Targets)
	l := x.lease(laneA(), 1)[0]
	if diff := diffMessages(&l.Message, &want); diff != "" {
		x.Errorf("the record was changed from outside: %s", diff)
	}
}

func capabilities(x *trial) {
	c := x.store.Capabilities()
	if c.Durable != (x.features.Reopen != nil) {
		x.Errorf("the store says durable: %v, and the suite can reopen it: %v", c.Durable, x.features.Reopen != nil)
	}
	if wake := x.store.Wake(); wake != nil && !c.Shared {
		x.Error("a store of one process has nobody to be woken by: Wake must be nil")
	}
}

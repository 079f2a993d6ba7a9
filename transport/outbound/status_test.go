package outbound_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// The strings are ACA-Py's: people match on them.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[outbound.OutboundSendStatus]string{
		outbound.StatusQueuedForDelivery:   "queued_for_delivery",
		outbound.StatusSentToSession:       "sent_to_session",
		outbound.StatusSentToExternalQueue: "sent_to_external_queue",
		outbound.StatusWaitingForPickup:    "waiting_for_pickup",
		outbound.StatusUndeliverable:       "undeliverable",
	} {
		if string(status) != want || status.Topic() != "outbound-message::"+want {
			t.Errorf("%q has the topic %q", status, status.Topic())
		}
		if parsed, err := outbound.ParseStatus(want); err != nil || parsed != status {
			t.Errorf("ParseStatus(%q) = %q, %v", want, parsed, err)
		}
	}
	if _, err := outbound.ParseStatus("sent"); err == nil {
		t.Error("ParseStatus takes what is no status")
	}
}

// external is a driver that hands over to somebody else's queue.
type external struct{ driver }

func (*external) IsExternal() bool { return true }

func TestExternalQueueTellsItsStatus(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, nil, outbound.Options{Retry: outbound.NoRetry(), TopicPrefix: "acapy::"})
		down := false
		if err := f.Register(&external{driver{handle: func(context.Context, *outbound.Message) error {
			if down {
				return errBroken
			}
			return nil
		}}}); err != nil {
			t.Fatal(err)
		}
		sent := f.send("test://host/", nil)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := f.record(sent); r.Status != "sent_to_external_queue" || r.Evidence != transport.Acknowledged {
			t.Errorf("record = %+v", r)
		}
		got := f.topics(sent)
		if want := "acapy::outbound-message::sent_to_external_queue"; len(got) != 3 || got[2] != want {
			t.Errorf("events = %q, want %q last", got, want)
		}
		down = true
		lost := f.send("test://host/", nil)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, topic := range f.topics(lost) {
			if topic == "acapy::outbound-message::sent_to_external_queue" {
				t.Error("told although it was not confirmed")
			}
		}
	})
}

// An answer that proves less than the message demands leaves the status as it was.
func TestStatusWaitsForTheEvidence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, nil, outbound.Options{})
		if err := f.Register(&external{}); err != nil {
			t.Fatal(err)
		}
		id := f.send("test://host/", func(m *outbound.Message) { m.MinEvidence = transport.Accepted })
		synctest.Wait()
		if r := f.record(id); r.Attempts != 1 || r.Status != "queued_for_delivery" {
			t.Errorf("after %d attempts: %s", r.Attempts, r.Status)
		}
		for _, topic := range f.topics(id) {
			if strings.Contains(topic, "sent_to_external_queue") {
				t.Error("told although it was not confirmed")
			}
		}
	})
}

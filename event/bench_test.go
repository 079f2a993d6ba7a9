package event_test

import (
	"testing"

	"github.com/outrider-go/outrider/event"
)

func BenchmarkPublishNobody(b *testing.B) {
	bus := event.New(event.Options{})
	b.ReportAllocs()
	for b.Loop() {
		bus.Publish("outbound-message::delivered", nil)
	}
}

func BenchmarkActiveNobody(b *testing.B) {
	bus := event.New(event.Options{})
	b.ReportAllocs()
	for b.Loop() {
		if bus.Active("outbound-message::delivered") {
			b.Error("active")
		}
	}
}

func BenchmarkPublishOtherTopic(b *testing.B) {
	bus := event.New(event.Options{})
	if _, err := bus.Subscribe("transport::.*", event.SubscribeOptions{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		bus.Publish("outbound-message::delivered", nil)
	}
}

func BenchmarkPublishToHandler(b *testing.B) {
	bus := event.New(event.Options{})
	if _, err := bus.Handle(".*", func(event.Event) {}, event.SubscribeOptions{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			bus.Publish("outbound-message::delivered", nil)
		}
	})
	if err := bus.Close(b.Context()); err != nil {
		b.Error(err)
	}
}

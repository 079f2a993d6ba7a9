package event_test

import (
	"context"
	"fmt"

	"github.com/outrider-go/outrider/event"
)

// Subscribe first, then trigger, then wait: nothing is missed.
func ExampleSubscription_Wait() {
	bus := event.New(event.Options{})
	done, err := bus.Subscribe("outbound-message::(delivered|dead)", event.SubscribeOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer done.Close()

	bus.Publish("outbound-message::retrying", "id 1")
	bus.Publish("outbound-message::delivered", "id 1")

	e, err := done.Wait(context.Background(), func(e event.Event) bool { return e.Payload == "id 1" })
	fmt.Println(e.Topic, err)
	// Output: outbound-message::delivered <nil>
}

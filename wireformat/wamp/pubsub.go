package wamp

// Publish asks a router to publish an event: [PUBLISH, Request, Options, Topic,
// Arguments, ArgumentsKw].
type Publish struct {
	Request ID
	Options Dict
	Topic   string
	Payload
}

// Type implements [Message].
func (*Publish) Type() Type { return TypePublish }

// List implements [Message].
func (m *Publish) List() []any {
	return m.appendTo([]any{int64(TypePublish), int64(m.Request), attributesOf(m.Options), m.Topic})
}

// Carries implements [Carrier].
func (m *Publish) Carries() (Payload, Dict) { return m.Payload, m.Options }

// With implements [Carrier].
func (m *Publish) With(p Payload, attributes Dict) Message {
	other := *m
	other.Payload, other.Options = p, attributes
	return &other
}

func parsePublish(f *fields) *Publish {
	f.length(4, 6)
	m := &Publish{}
	m.Request = f.id("Request")
	m.Options = f.dict("Options")
	m.Topic = f.uri("Topic")
	m.Payload = f.payload()
	return m
}

// Published says that an event is published: [PUBLISHED, Request, Publication].
type Published struct {
	Request     ID
	Publication ID
}

// Type implements [Message].
func (*Published) Type() Type { return TypePublished }

// List implements [Message].
func (m *Published) List() []any {
	return []any{int64(TypePublished), int64(m.Request), int64(m.Publication)}
}

func parsePublished(f *fields) *Published {
	f.length(3, 3)
	m := &Published{}
	m.Request = f.id("Request")
	m.Publication = f.id("Publication")
	return m
}

// Subscribe asks for the events of a topic: [SUBSCRIBE, Request, Options, Topic].
type Subscribe struct {
	Request ID
	Options Dict
	Topic   string
}

// Type implements [Message].
func (*Subscribe) Type() Type { return TypeSubscribe }

// List implements [Message].
func (m *Subscribe) List() []any {
	return []any{int64(TypeSubscribe), int64(m.Request), attributesOf(m.Options), m.Topic}
}

func parseSubscribe(f *fields) *Subscribe {
	f.length(4, 4)
	m := &Subscribe{}
	m.Request = f.id("Request")
	m.Options = f.dict("Options")
	m.Topic = f.pattern("Topic", m.Options)
	return m
}

// Subscribed says that a peer is subscribed: [SUBSCRIBED, Request, Subscription].
type Subscribed struct {
	Request      ID
	Subscription ID
}

// Type implements [Message].
func (*Subscribed) Type() Type { return TypeSubscribed }

// List implements [Message].
func (m *Subscribed) List() []any {
	return []any{int64(TypeSubscribed), int64(m.Request), int64(m.Subscription)}
}

func parseSubscribed(f *fields) *Subscribed {
	f.length(3, 3)
	m := &Subscribed{}
	m.Request = f.id("Request")
	m.Subscription = f.id("Subscription")
	return m
}

// Unsubscribe ends a subscription: [UNSUBSCRIBE, Request, Options, Subscription]. The options
// are left out where there are none.
type Unsubscribe struct {
	Request      ID
	Options      Dict
	Subscription ID
}

// Type implements [Message].
func (*Unsubscribe) Type() Type { return TypeUnsubscribe }

// List implements [Message].
func (m *Unsubscribe) List() []any {
	if len(m.Options) > 0 {
		return []any{int64(TypeUnsubscribe), int64(m.Request), int64(m.Subscription), m.Options}
	}
	return []any{int64(TypeUnsubscribe), int64(m.Request), int64(m.Subscription)}
}

func parseUnsubscribe(f *fields) *Unsubscribe {
	f.length(3, 4)
	m := &Unsubscribe{}
	m.Request = f.id("Request")
	m.Subscription = f.id("Subscription")
	if len(f.list) == 4 {
		m.Options = f.dict("Options")
	}
	return m
}

// Unsubscribed says that a subscription has ended: [UNSUBSCRIBED, Request]. With request 0
// the router has ended it, and Details say which: [UNSUBSCRIBED, 0, Details].
type Unsubscribed struct {
	Request ID
	Details Dict
}

// Type implements [Message].
func (*Unsubscribed) Type() Type { return TypeUnsubscribed }

// List implements [Message].
func (m *Unsubscribed) List() []any {
	if m.Details != nil {
		return []any{int64(TypeUnsubscribed), int64(m.Request), m.Details}
	}
	return []any{int64(TypeUnsubscribed), int64(m.Request)}
}

func parseUnsubscribed(f *fields) *Unsubscribed {
	f.length(2, 3)
	m := &Unsubscribed{}
	m.Request = f.id("Request")
	if len(f.list) == 3 {
		m.Details = f.dict("Details")
	}
	return m
}

// Event is what a subscriber gets: [EVENT, Subscription, Publication, Details,
// Arguments, ArgumentsKw].
type Event struct {
	Subscription ID
	Publication  ID
	Details      Dict
	Payload
}

// Type implements [Message].
func (*Event) Type() Type { return TypeEvent }

// List implements [Message].
func (m *Event) List() []any {
	return m.appendTo([]any{int64(TypeEvent), int64(m.Subscription), int64(m.Publication), attributesOf(m.Details)})
}

// Carries implements [Carrier].
func (m *Event) Carries() (Payload, Dict) { return m.Payload, m.Details }

// With implements [Carrier].
func (m *Event) With(p Payload, attributes Dict) Message {
	other := *m
	other.Payload, other.Details = p, attributes
	return &other
}

func parseEvent(f *fields) *Event {
	f.length(4, 6)
	m := &Event{}
	m.Subscription = f.id("Subscription")
	m.Publication = f.id("Publication")
	m.Details = f.dict("Details")
	m.Payload = f.payload()
	return m
}

// EventReceived acknowledges an event, where Details.x_acknowledged_delivery asks for it:
// [EVENT_RECEIVED, Publication].
type EventReceived struct {
	Publication ID
}

// Type implements [Message].
func (*EventReceived) Type() Type { return TypeEventReceived }

// List implements [Message].
func (m *EventReceived) List() []any {
	return []any{int64(TypeEventReceived), int64(m.Publication)}
}

func parseEventReceived(f *fields) *EventReceived {
	f.length(2, 2)
	m := &EventReceived{}
	m.Publication = f.id("Publication")
	return m
}

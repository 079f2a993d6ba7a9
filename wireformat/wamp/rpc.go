package wamp

import "slices"

// Call calls a procedure: [CALL, Request, Options, Procedure, Arguments, ArgumentsKw].
type Call struct {
	Request   ID
	Options   Dict
	Procedure string
	Payload
}

// Type implements [Message].
func (*Call) Type() Type { return TypeCall }

// List implements [Message].
func (m *Call) List() []any {
	return m.appendTo([]any{int64(TypeCall), int64(m.Request), attributesOf(m.Options), m.Procedure})
}

// Carries implements [Carrier].
func (m *Call) Carries() (Payload, Dict) { return m.Payload, m.Options }

// With implements [Carrier].
func (m *Call) With(p Payload, attributes Dict) Message {
	other := *m
	other.Payload, other.Options = p, attributes
	return &other
}

func parseCall(f *fields) *Call {
	f.length(4, 6)
	m := &Call{}
	m.Request = f.id("Request")
	m.Options = f.dict("Options")
	m.Procedure = f.uri("Procedure")
	m.Payload = f.payload()
	return m
}

// Cancel cancels a call: [CANCEL, Request, Options].
type Cancel struct {
	Request ID
	Options Dict
}

// Type implements [Message].
func (*Cancel) Type() Type { return TypeCancel }

// List implements [Message].
func (m *Cancel) List() []any {
	return []any{int64(TypeCancel), int64(m.Request), attributesOf(m.Options)}
}

func parseCancel(f *fields) *Cancel {
	f.length(3, 3)
	m := &Cancel{}
	m.Request = f.id("Request")
	m.Options = f.dict("Options")
	return m
}

// Result is what a caller gets: [RESULT, Request, Details, Arguments, ArgumentsKw].
type Result struct {
	Request ID
	Details Dict
	Payload
}

// Type implements [Message].
func (*Result) Type() Type { return TypeResult }

// List implements [Message].
func (m *Result) List() []any {
	return m.appendTo([]any{int64(TypeResult), int64(m.Request), attributesOf(m.Details)})
}

// Carries implements [Carrier].
func (m *Result) Carries() (Payload, Dict) { return m.Payload, m.Details }

// With implements [Carrier].
func (m *Result) With(p Payload, attributes Dict) Message {
	other := *m
	other.Payload, other.Details = p, attributes
	return &other
}

func parseResult(f *fields) *Result {
	f.length(3, 5)
	m := &Result{}
	m.Request = f.id("Request")
	m.Details = f.dict("Details")
	m.Payload = f.payload()
	return m
}

// Register offers a procedure: [REGISTER, Request, Options, Procedure].
type Register struct {
	Request   ID
	Options   Dict
	Procedure string
}

// Type implements [Message].
func (*Register) Type() Type { return TypeRegister }

// List implements [Message].
func (m *Register) List() []any {
	return []any{int64(TypeRegister), int64(m.Request), attributesOf(m.Options), m.Procedure}
}

func parseRegister(f *fields) *Register {
	f.length(4, 4)
	m := &Register{}
	m.Request = f.id("Request")
	m.Options = f.dict("Options")
	m.Procedure = f.pattern("Procedure", m.Options)
	return m
}

// Registered says that a procedure is registered: [REGISTERED, Request, Registration].
type Registered struct {
	Request      ID
	Registration ID
}

// Type implements [Message].
func (*Registered) Type() Type { return TypeRegistered }

// List implements [Message].
func (m *Registered) List() []any {
	return []any{int64(TypeRegistered), int64(m.Request), int64(m.Registration)}
}

func parseRegistered(f *fields) *Registered {
	f.length(3, 3)
	m := &Registered{}
	m.Request = f.id("Request")
	m.Registration = f.id("Registration")
	return m
}

// Unregister ends a registration: [UNREGISTER, Request, Registration, Options]. The options
// are left out where there are none.
type Unregister struct {
	Request      ID
	Options      Dict
	Registration ID
}

// Type implements [Message].
func (*Unregister) Type() Type { return TypeUnregister }

// List implements [Message].
func (m *Unregister) List() []any {
	if len(m.Options) > 0 {
		return []any{int64(TypeUnregister), int64(m.Request), int64(m.Registration), m.Options}
	}
	return []any{int64(TypeUnregister), int64(m.Request), int64(m.Registration)}
}

func parseUnregister(f *fields) *Unregister {
	f.length(3, 4)
	m := &Unregister{}
	m.Request = f.id("Request")
	m.Registration = f.id("Registration")
	if len(f.list) == 4 {
		m.Options = f.dict("Options")
	}
	return m
}

// Unregistered says that a registration has ended: [UNREGISTERED, Request]. With request 0
// the router has ended it, and Details say which: [UNREGISTERED, 0, Details].
type Unregistered struct {
	Request ID
	Details Dict
}

// Type implements [Message].
func (*Unregistered) Type() Type { return TypeUnregistered }

// List implements [Message].
func (m *Unregistered) List() []any {
	if m.Details != nil {
		return []any{int64(TypeUnregistered), int64(m.Request), m.Details}
	}
	return []any{int64(TypeUnregistered), int64(m.Request)}
}

func parseUnregistered(f *fields) *Unregistered {
	f.length(2, 3)
	m := &Unregistered{}
	m.Request = f.id("Request")
	if len(f.list) == 3 {
		m.Details = f.dict("Details")
	}
	return m
}

// Invocation is a call as the callee gets it: [INVOCATION, Request, Registration, Details,
// Arguments, ArgumentsKw].
type Invocation struct {
	Request      ID
	Registration ID
	Details      Dict
	Payload
}

// Type implements [Message].
func (*Invocation) Type() Type { return TypeInvocation }

// List implements [Message].
func (m *Invocation) List() []any {
	return m.appendTo([]any{int64(TypeInvocation), int64(m.Request), int64(m.Registration), attributesOf(m.Details)})
}

// Carries implements [Carrier].
func (m *Invocation) Carries() (Payload, Dict) { return m.Payload, m.Details }

// With implements [Carrier].
func (m *Invocation) With(p Payload, attributes Dict) Message {
	other := *m
	other.Payload, other.Details = p, attributes
	return &other
}

func parseInvocation(f *fields) *Invocation {
	f.length(4, 6)
	m := &Invocation{}
	m.Request = f.id("Request")
	m.Registration = f.id("Registration")
	m.Details = f.dict("Details")
	m.Payload = f.payload()
	return m
}

// Interrupt asks a callee to stop: [INTERRUPT, Request, Options].
type Interrupt struct {
	Request ID
	Options Dict
}

// Type implements [Message].
func (*Interrupt) Type() Type { return TypeInterrupt }

// List implements [Message].
func (m *Interrupt) List() []any {
	return []any{int64(TypeInterrupt), int64(m.Request), attributesOf(m.Options)}
}

func parseInterrupt(f *fields) *Interrupt {
	f.length(3, 3)
	m := &Interrupt{}
	m.Request = f.id("Request")
	m.Options = f.dict("Options")
	return m
}

// Yield is a callee's answer: [YIELD, Request, Options, Arguments, ArgumentsKw].
type Yield struct {
	Request ID
	Options Dict
	Payload
}

// Type implements [Message].
func (*Yield) Type() Type { return TypeYield }

// List implements [Message].
func (m *Yield) List() []any {
	return m.appendTo([]any{int64(TypeYield), int64(m.Request), attributesOf(m.Options)})
}

// Carries implements [Carrier].
func (m *Yield) Carries() (Payload, Dict) { return m.Payload, m.Options }

// With implements [Carrier].
func (m *Yield) With(p Payload, attributes Dict) Message {
	other := *m
	other.Payload, other.Options = p, attributes
	return &other
}

func parseYield(f *fields) *Yield {
	f.length(3, 5)
	m := &Yield{}
	m.Request = f.id("Request")
	m.Options = f.dict("Options")
	m.Payload = f.payload()
	return m
}

// Error says that a request failed: [ERROR, RequestType, Request, Details, Error,
// Arguments, ArgumentsKw].
type Error struct {
	RequestType Type
	Request     ID
	Details     Dict
	Error       string
	Payload
}

// Type implements [Message].
func (*Error) Type() Type { return TypeError }

// List implements [Message].
func (m *Error) List() []any {
	return m.appendTo([]any{int64(TypeError), int64(m.RequestType), int64(m.Request), attributesOf(m.Details), m.Error})
}

// Carries implements [Carrier].
func (m *Error) Carries() (Payload, Dict) { return m.Payload, m.Details }

// With implements [Carrier].
func (m *Error) With(p Payload, attributes Dict) Message {
	other := *m
	other.Payload, other.Details = p, attributes
	return &other
}

func parseError(f *fields) *Error {
	f.length(5, 7)
	m := &Error{}
	m.RequestType = f.requestType("RequestType")
	m.Request = f.id("Request")
	m.Details = f.dict("Details")
	m.Error = f.uri("Error")
	m.Payload = f.payload()
	return m
}

// requestType reads the type of a request that can fail.
func (f *fields) requestType(field string) Type {
	v, ok := f.next().(int64)
	requests := []Type{TypeSubscribe, TypeUnsubscribe, TypePublish, TypeRegister, TypeUnregister, TypeCall, TypeInvocation}
	if !ok || !slices.Contains(requests, Type(v)) {
		f.fail(field, "want the type of a request")
	}
	return Type(v)
}

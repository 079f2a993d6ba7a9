package wamp

// Message is a WAMP message: autobahn's IMessage. Those of this package are the
// structs named after the specification's messages; others may be added with
// [SerializerOptions].
type Message interface {
	// Type is the code of the message.
	Type() Type
	// List returns the message as the list that goes on the wire. Its values are
	// the message's own.
	List() []any
}

// ParseFunc makes a message of a list, whose first value is the message's type.
type ParseFunc func(list []any) (Message, error)

// Types returns the messages of this package: autobahn's MESSAGE_TYPE_MAP. The
// map is the caller's.
func Types() map[Type]ParseFunc {
	return map[Type]ParseFunc{
		TypeHello: parse(parseHello), TypeWelcome: parse(parseWelcome), TypeAbort: parse(parseAbort),
		TypeChallenge: parse(parseChallenge), TypeAuthenticate: parse(parseAuthenticate), TypeGoodbye: parse(parseGoodbye),
		TypeError:   parse(parseError),
		TypePublish: parse(parsePublish), TypePublished: parse(parsePublished),
		TypeSubscribe: parse(parseSubscribe), TypeSubscribed: parse(parseSubscribed),
		TypeUnsubscribe: parse(parseUnsubscribe), TypeUnsubscribed: parse(parseUnsubscribed),
		TypeEvent: parse(parseEvent), TypeEventReceived: parse(parseEventReceived),
		TypeCall: parse(parseCall), TypeCancel: parse(parseCancel), TypeResult: parse(parseResult),
		TypeRegister: parse(parseRegister), TypeRegistered: parse(parseRegistered),
		TypeUnregister: parse(parseUnregister), TypeUnregistered: parse(parseUnregistered),
		TypeInvocation: parse(parseInvocation), TypeInterrupt: parse(parseInterrupt), TypeYield: parse(parseYield),
	}
}

// parse makes a ParseFunc of a function that reads a message's fields.
func parse[M Message](read func(*fields) M) ParseFunc {
	return func(list []any) (Message, error) {
		var none M
		f := &fields{message: none.Type(), list: list}
		f.skip()
		m := read(f)
		if f.err != nil {
			return nil, f.err
		}
		return m, nil
	}
}

// Parse makes a message of a list.
func Parse(list []any, types map[Type]ParseFunc) (Message, error) {
	if len(list) == 0 {
		return nil, &ProtocolError{Message: "message", Reason: "it is empty"}
	}
	code, ok := list[0].(int64)
	if !ok {
		return nil, &ProtocolError{Message: "message", Reason: "its type is no integer"}
	}
	read, ok := types[Type(code)]
	if !ok {
		return nil, &ProtocolError{Message: Type(code).String(), Reason: "there is no such message"}
	}
	return read(list)
}

// fields reads the fields of a message one after the other. After the first that
// is wrong, all others are empty.
type fields struct {
	message Type
	list    []any
	at      int
	err     error
}

func (f *fields) fail(field, reason string) {
	if f.err == nil {
		f.err = &ProtocolError{Message: f.message.String(), Field: field, Reason: reason}
	}
}

func (f *fields) skip() { f.at++ }

// length checks how many values there are.
func (f *fields) length(least, most int) {
	if len(f.list) < least || len(f.list) > most {
		f.fail("", "the message has a wrong number of values")
	}
}

// next returns the next field, nil where something is wrong.
func (f *fields) next() any {
	if f.err != nil || f.at >= len(f.list) {
		return nil
	}
	f.at++
	return f.list[f.at-1]
}

func (f *fields) id(field string) ID {
	v, ok := f.next().(int64)
	if !ok || v < 0 || ID(v) > MaxID {
		f.fail(field, "want an integer from 0 to 2^53")
	}
	return ID(v)
}

func (f *fields) dict(field string) Dict {
	v, ok := f.next().(map[string]any)
	if !ok {
		f.fail(field, "want a map")
	}
	if f.err == nil {
		f.err = checkAttributes(f.message, field, v)
	}
	return v
}

func (f *fields) text(field string) string {
	v, ok := f.next().(string)
	if !ok {
		f.fail(field, "want text")
	}
	return v
}

func (f *fields) uri(field string) string {
	v, ok := f.next().(string)
	if !ok || !IsURI(v) {
		f.fail(field, "want a URI")
	}
	return v
}

// pattern reads a URI that may be a pattern where the options say so.
func (f *fields) pattern(field string, options Dict) string {
	match, _ := options["match"].(string)
	if match == "" || match == "exact" {
		return f.uri(field)
	}
	v, ok := f.next().(string)
	if !ok || !IsPattern(v) {
		f.fail(field, "want a URI or a pattern")
	}
	return v
}

// payload reads the arguments at the end of a message.
func (f *fields) payload() Payload {
	var p Payload
	if f.err != nil || f.at >= len(f.list) {
		return p
	}
	switch v := f.next().(type) {
	case []any:
		p.Args = v
	case []byte:
		p.Opaque = v
	case string:
		p.Opaque = []byte(v)
	case nil: // some peers send null for no arguments
	default:
		f.fail("Arguments", "want a list or bytes")
	}
	if f.at == len(f.list) {
		return p
	}
	switch v := f.next().(type) {
	case map[string]any:
		p.Kwargs = v
	case nil:
	default:
		f.fail("ArgumentsKw", "want a map")
	}
	if p.Opaque != nil {
		f.fail("ArgumentsKw", "there is nothing beside a payload in bytes")
	}
	return p
}

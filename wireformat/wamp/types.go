package wamp

import (
	"errors"
	"fmt"
	"strconv"
)

// Type is the code that a message begins with.
type Type int

// Types of the messages of the basic and the advanced profile.
const (
	TypeHello         Type = 1
	TypeWelcome       Type = 2
	TypeAbort         Type = 3
	TypeChallenge     Type = 4
	TypeAuthenticate  Type = 5
	TypeGoodbye       Type = 6
	TypeError         Type = 8
	TypePublish       Type = 16
	TypePublished     Type = 17
	TypeSubscribe     Type = 32
	TypeSubscribed    Type = 33
	TypeUnsubscribe   Type = 34
	TypeUnsubscribed  Type = 35
	TypeEvent         Type = 36
	TypeCall          Type = 48
	TypeCancel        Type = 49
	TypeResult        Type = 50
	TypeRegister      Type = 64
	TypeRegistered    Type = 65
	TypeUnregister    Type = 66
	TypeUnregistered  Type = 67
	TypeInvocation    Type = 68
	TypeInterrupt     Type = 69
	TypeYield         Type = 70
	TypeEventReceived Type = 337
)

var typeNames = map[Type]string{
	TypeHello: "HELLO", TypeWelcome: "WELCOME", TypeAbort: "ABORT", TypeChallenge: "CHALLENGE",
	TypeAuthenticate: "AUTHENTICATE", TypeGoodbye: "GOODBYE", TypeError: "ERROR", TypePublish: "PUBLISH",
	TypePublished: "PUBLISHED", TypeSubscribe: "SUBSCRIBE", TypeSubscribed: "SUBSCRIBED",
	TypeUnsubscribe: "UNSUBSCRIBE", TypeUnsubscribed: "UNSUBSCRIBED", TypeEvent: "EVENT", TypeCall: "CALL",
	TypeCancel: "CANCEL", TypeResult: "RESULT", TypeRegister: "REGISTER", TypeRegistered: "REGISTERED",
	TypeUnregister: "UNREGISTER", TypeUnregistered: "UNREGISTERED", TypeInvocation: "INVOCATION",
	TypeInterrupt: "INTERRUPT", TypeYield: "YIELD", TypeEventReceived: "EVENT_RECEIVED",
}

// String returns the specification's name of the type.
func (t Type) String() string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return "type " + strconv.Itoa(int(t))
}

// ID is the id of a session, a request, a publication, a subscription or a
// registration: 0 to [MaxID].
type ID int64

// MaxID is 2^53, so that a float holds each id exactly.
const MaxID ID = 1 << 53

// Dict has the options or details of a message.
type Dict = map[string]any

// ErrProtocol is the kind of every [*ProtocolError].
var ErrProtocol = errors.New("WAMP protocol violation")

// ProtocolError says what is wrong with a message. It does not repeat it.
type ProtocolError struct {
	Message string // "PUBLISH"; empty where that is not known
	Field   string // "Options.acknowledge"; empty where it is the whole message
	Reason  string
}

func (e *ProtocolError) Error() string {
	where := e.Message
	if e.Field != "" {
		where += "." + e.Field
	}
	return fmt.Sprintf("%v: %s: %s", ErrProtocol, where, e.Reason)
}

// Unwrap returns ErrProtocol.
func (e *ProtocolError) Unwrap() error { return ErrProtocol }

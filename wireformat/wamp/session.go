package wamp

// Hello opens a session: [HELLO, Realm, Details].
type Hello struct {
	Realm   string
	Details Dict // "roles" is required
}

// Type implements [Message].
func (*Hello) Type() Type { return TypeHello }

// List implements [Message].
func (m *Hello) List() []any { return []any{int64(TypeHello), m.Realm, attributesOf(m.Details)} }

func parseHello(f *fields) *Hello {
	f.length(3, 3)
	return &Hello{f.uri("Realm"), f.dict("Details")}
}

// Welcome says that a session is open: [WELCOME, Session, Details].
type Welcome struct {
	Session ID
	Details Dict // "roles" is required
}

// Type implements [Message].
func (*Welcome) Type() Type { return TypeWelcome }

// List implements [Message].
func (m *Welcome) List() []any {
	return []any{int64(TypeWelcome), int64(m.Session), attributesOf(m.Details)}
}

func parseWelcome(f *fields) *Welcome {
	f.length(3, 3)
	return &Welcome{f.id("Session"), f.dict("Details")}
}

// Abort refuses to open a session, or ends it for an error: [ABORT, Details, Reason].
type Abort struct {
	Details Dict
	Reason  string
}

// Type implements [Message].
func (*Abort) Type() Type { return TypeAbort }

// List implements [Message].
func (m *Abort) List() []any { return []any{int64(TypeAbort), attributesOf(m.Details), m.Reason} }

func parseAbort(f *fields) *Abort {
	f.length(3, 3)
	return &Abort{f.dict("Details"), f.uri("Reason")}
}

// Challenge asks who wants to join to prove it: [CHALLENGE, AuthMethod, Extra].
type Challenge struct {
	Method string
	Extra  Dict
}

// Type implements [Message].
func (*Challenge) Type() Type { return TypeChallenge }

// List implements [Message].
func (m *Challenge) List() []any {
	return []any{int64(TypeChallenge), m.Method, attributesOf(m.Extra)}
}

func parseChallenge(f *fields) *Challenge {
	f.length(3, 3)
	return &Challenge{f.text("AuthMethod"), f.dict("Extra")}
}

// Authenticate answers a challenge: [AUTHENTICATE, Signature, Extra].
type Authenticate struct {
	Signature string
	Extra     Dict
}

// Type implements [Message].
func (*Authenticate) Type() Type { return TypeAuthenticate }

// List implements [Message].
func (m *Authenticate) List() []any {
	return []any{int64(TypeAuthenticate), m.Signature, attributesOf(m.Extra)}
}

// String keeps the signature, which may be a ticket, out of text.
func (m *Authenticate) String() string { return "AUTHENTICATE" }

// GoString does so too.
func (m *Authenticate) GoString() string { return m.String() }

func parseAuthenticate(f *fields) *Authenticate {
	f.length(3, 3)
	return &Authenticate{f.text("Signature"), f.dict("Extra")}
}

// Goodbye closes a session, and answers one that does: [GOODBYE, Details, Reason].
type Goodbye struct {
	Details Dict
	Reason  string
}

// Type implements [Message].
func (*Goodbye) Type() Type { return TypeGoodbye }

// List implements [Message].
func (m *Goodbye) List() []any { return []any{int64(TypeGoodbye), attributesOf(m.Details), m.Reason} }

func parseGoodbye(f *fields) *Goodbye {
	f.length(3, 3)
	return &Goodbye{f.dict("Details"), f.uri("Reason")}
}

// attributesOf is a map in place of nil.
func attributesOf(d Dict) Dict {
	if d == nil {
		return Dict{}
	}
	return d
}

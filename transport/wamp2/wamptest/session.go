package wamptest

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"

	"github.com/outrider-go/outrider/wireformat/wamp"
)

// Account is how somebody may join: by those of the methods that have what they
// need.
type Account struct {
	Ticket string
	Secret string            // of WAMP-CRA
	Salt   string            // of WAMP-CRA: not empty has the secret be salted
	Key    ed25519.PublicKey // of cryptosign
}

// hello answers HELLO.
func (c *client) hello(m *wamp.Hello) bool {
	if h := c.router.options.Hello; h != nil {
		if answers, handled := h(m); handled {
			c.send(answers...)
			return true
		}
	}
	if m.Realm != Realm {
		return c.refuse("wamp.error.no_such_realm")
	}
	if c.router.options.Accounts == nil {
		return c.welcome("anonymous", "anonymous")
	}
	id, _ := m.Details["authid"].(string)
	account, known := c.router.options.Accounts[id]
	methods, _ := m.Details["authmethods"].([]any)
	for _, method := range methods {
		if known && c.challenge(id, account, method, m) {
			return true
		}
	}
	return c.refuse("wamp.error.authentication_failed")
}

func (c *client) refuse(reason string) bool {
	c.send(&wamp.Abort{Reason: reason})
	return false
}

func (c *client) welcome(id, method string) bool {
	c.joined, c.account = true, id
	c.router.mu.Lock()
	c.router.joined++
	session := c.router.newID()
	c.router.mu.Unlock()
	c.send(&wamp.Welcome{Session: session, Details: wamp.Dict{
		"authid": id, "authmethod": method, "authrole": "user", "realm": Realm,
		"roles": map[string]any{"broker": map[string]any{}, "dealer": map[string]any{}},
	}})
	return true
}

// challenge sends the challenge of a method, if the account can answer it.
func (c *client) challenge(id string, account Account, method any, m *wamp.Hello) bool {
	switch {
	case method == "ticket" && account.Ticket != "":
		c.answer = func(got string) bool { return subtle.ConstantTimeCompare([]byte(got), []byte(account.Ticket)) == 1 }
		c.send(&wamp.Challenge{Method: "ticket"})
	case method == "wampcra" && account.Secret != "":
		c.cra(account)
	case method == "cryptosign" && account.Key != nil:
		return c.cryptosign(account, m)
	default:
		return false
	}
	c.account = id
	return true
}

func (c *client) cra(account Account) {
	challenge, key := rand.Text(), []byte(account.Secret)
	extra := wamp.Dict{"challenge": challenge}
	if account.Salt != "" {
		extra["salt"], extra["iterations"], extra["keylen"] = account.Salt, int64(100), int64(32)
		derived, _ := pbkdf2.Key(sha256.New, account.Secret, []byte(account.Salt), 100, 32) // these lengths are fine
		key = []byte(base64.StdEncoding.EncodeToString(derived))
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(challenge))
	want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	c.answer = func(got string) bool { return hmac.Equal([]byte(got), []byte(want)) }
	c.send(&wamp.Challenge{Method: "wampcra", Extra: extra})
}

func (c *client) cryptosign(account Account, m *wamp.Hello) bool {
	asked, _ := m.Details["authextra"].(map[string]any)
	if asked["pubkey"] != hex.EncodeToString(account.Key) {
		return false
	}
	challenge := make([]byte, 32)
	_, _ = rand.Read(challenge) // it never fails
	signed := make([]byte, 32)
	copy(signed, challenge)
	if asked["channel_binding"] != nil {
		subtle.XORBytes(signed, signed, c.channel)
	}
	c.answer = func(got string) bool {
		b, err := hex.DecodeString(got)
		return err == nil && len(b) == 96 && string(b[64:]) == string(signed) && ed25519.Verify(account.Key, signed, b[:64])
	}
	c.send(&wamp.Challenge{Method: "cryptosign", Extra: wamp.Dict{
		"challenge": hex.EncodeToString(challenge), "channel_binding": asked["channel_binding"],
	}})
	return true
}

func (c *client) authenticate(m *wamp.Authenticate) bool {
	if c.answer == nil || !c.answer(m.Signature) {
		return c.refuse("wamp.error.authentication_failed")
	}
	c.answer = nil
	return c.welcome(c.account, "challenge")
}

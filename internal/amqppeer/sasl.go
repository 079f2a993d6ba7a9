package amqppeer

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"strings"
)

const (
	saslOK   = 0
	saslAuth = 1
)

func (c *Conn) sendSASL(code uint64, fields ...any) {
	c.SendRaw(Encode(TypeSASL, 0, Performative(nil, code, fields...)))
}

// authenticate makes the exchange of SASL and reports whether the client may go on.
func (c *Conn) authenticate() bool {
	var offered Symbols
	for _, mechanism := range c.peer.options.Mechanisms {
		offered = append(offered, Symbol(mechanism))
	}
	c.sendSASL(SASLMechanisms, offered)
	f, err := readFrame(c.in)
	if err != nil || f.Code != SASLInit {
		return false
	}
	response, _ := f.Field(1).([]byte)
	code := c.judge(f.Text(0), string(response))
	if forced := c.peer.options.SASLCode; forced != 0 {
		code = forced
	}
	c.sendSASL(SASLOutcome, code)
	return code == saslOK
}

// judge returns the outcome of a mechanism.
func (c *Conn) judge(mechanism, response string) uint8 {
	users := c.peer.options.Users
	switch mechanism {
	case "ANONYMOUS":
		c.User = "anonymous"
		return saslOK
	case "PLAIN":
		parts := strings.Split(response, "\x00")
		if len(parts) != 3 {
			return saslAuth
		}
		c.User = parts[1]
		if password, known := users[parts[1]]; users == nil || known && password == parts[2] {
			return saslOK
		}
	case "EXTERNAL":
		if secured, ok := c.net.(*tls.Conn); ok && len(secured.ConnectionState().PeerCertificates) > 0 {
			c.User = secured.ConnectionState().PeerCertificates[0].Subject.CommonName
			return saslOK
		}
	case "XOAUTH2":
		if users["token"] != "" && strings.Contains(response, "auth=Bearer "+users["token"]+"\x01") {
			return saslOK
		}
		c.sendSASL(SASLChallenge, []byte(`{"status":"401"}`))
		_, _ = readFrame(c.in)
	case "SCRAM-SHA-256":
		return c.scram(response)
	}
	return saslAuth
}

// scram is the server's side of RFC 5802 with SHA-256.
func (c *Conn) scram(first string) uint8 {
	at := strings.Index(first, ",")
	at += strings.Index(first[at+1:], ",") + 2
	header, bare := first[:at], first[at:]
	attributes := fields(bare)
	c.User = attributes["n"]
	salt := []byte("salt of the peer")
	const rounds = 4096
	challenge := fmt.Sprintf("r=%sserver,s=%s,i=%d", attributes["r"], base64.StdEncoding.EncodeToString(salt), rounds)
	c.sendSASL(SASLChallenge, []byte(challenge))
	f, err := readFrame(c.in)
	if err != nil || f.Code != SASLResponse {
		return saslAuth
	}
	response, _ := f.Field(0).([]byte)
	final := string(response)
	without, proof, _ := strings.Cut(final, ",p=")
	if fields(without)["c"] != base64.StdEncoding.EncodeToString([]byte(header)) {
		return saslAuth
	}
	salted, err := pbkdf2.Key(sha256.New, c.peer.options.Users[c.User], salt, rounds, sha256.Size)
	if err != nil {
		return saslAuth
	}
	message := bare + "," + challenge + "," + without
	stored := sha256.Sum256(mac(salted, "Client Key"))
	signature := mac(stored[:], message)
	got, _ := base64.StdEncoding.DecodeString(proof)
	if len(got) != sha256.Size {
		return saslAuth
	}
	subtle.XORBytes(got, got, signature)
	if found := sha256.Sum256(got); found != stored {
		return saslAuth
	}
	c.sendSASL(SASLChallenge, []byte("v="+base64.StdEncoding.EncodeToString(mac(mac(salted, "Server Key"), message))))
	_, _ = readFrame(c.in)
	return saslOK
}

func fields(text string) map[string]string {
	all := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		all[name] = value
	}
	return all
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

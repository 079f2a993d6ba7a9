package amqp1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
)

func secret(text string) transport.Secret { return transport.NewSecret(text) }

func TestSASL(t *testing.T) {
	t.Parallel()
	users := map[string]string{"alice": "geheim,=", "token": "t0ken"}
	alice := Credentials{Username: "alice", Password: secret("geheim,=")}
	with := func(c Credentials, mechanisms ...string) Credentials {
		c.Mechanisms = mechanisms
		return c
	}
	for name, c := range map[string]struct {
		offered     []string
		credentials Credentials
		want        string // the mechanism
		code        SASLCode
	}{
		"nothing given":              {nil, Credentials{}, Anonymous, 0},
		"the best for a password":    {nil, alice, ScramSHA256, 0},
		"what is offered":            {[]string{"ANONYMOUS", "PLAIN"}, alice, Plain, 0},
		"what is asked for":          {nil, with(alice, Plain), Plain, 0},
		"in the order asked for":     {nil, with(alice, Plain, ScramSHA256), Plain, 0},
		"to act as another":          {nil, Credentials{Username: "alice", Password: secret("geheim,="), AuthorizationID: "bob,="}, ScramSHA256, 0},
		"a token":                    {[]string{"XOAUTH2", "PLAIN"}, Credentials{Username: "alice", Token: secret("t0ken")}, XOAuth2, 0},
		"wrong password, PLAIN":      {nil, with(Credentials{Username: "alice", Password: secret("x")}, Plain), "", SASLAuth},
		"wrong password, SCRAM":      {nil, with(Credentials{Username: "alice", Password: secret("x")}, ScramSHA256), "", SASLAuth},
		"wrong token":                {[]string{"XOAUTH2"}, Credentials{Token: secret("x")}, "", SASLAuth},
		"nothing that is allowed":    {[]string{"ANONYMOUS"}, alice, "", 0},
		"no fall back to ANONYMOUS":  {[]string{"ANONYMOUS", "GSSAPI"}, alice, "", 0},
		"no layer":                   {nil, Credentials{NoSASL: true}, "", 0},
		"no mechanism of the peer's": {[]string{}, Credentials{}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, amqppeer.Options{Mechanisms: c.offered, Users: users})
			remote := remoteOf(t, p)
			remote.Credentials = c.credentials
			events := make(chan Event, 100)
			container := newContainer(t, Options{OnEvent: func(e Event) { events <- e }})
			s, err := container.Sender(remote, Target{Address: "q"})
			if err != nil {
				t.Fatal(err)
			}
			o, err := s.Send(within(t, soon), text("x"), SendOptions{})
			if c.want == "" && !c.credentials.NoSASL {
				wantFault(t, err, ErrSASL, false)
				fault, _ := errors.AsType[*SASLError](err)
				if fault == nil || fault.Code != c.code || !fault.Permanent() {
					t.Errorf("err = %#v", fault)
				}
				if strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "t0ken") {
					t.Error("the error holds a secret")
				}
				return
			}
			wantAccepted(t, o, err)
			for e := range events {
				if e.Kind == Connected {
					if e.Peer.Mechanism != c.want {
						t.Errorf("mechanism %q, want %q", e.Peer.Mechanism, c.want)
					}
					break
				}
			}
		})
	}
}

func TestSASLCodes(t *testing.T) {
	t.Parallel()
	for code, permanent := range map[SASLCode]bool{SASLAuth: true, SASLSys: false, SASLSysPerm: true, SASLSysTemp: false} {
		p := startPeer(t, amqppeer.Options{SASLCode: uint8(code)})
		s := newTestSender(t, p, Options{}, Target{})
		_, err := s.Send(within(t, soon), text("x"), SendOptions{})
		fault, ok := errors.AsType[*SASLError](err)
		if !ok || fault.Code != code || fault.Permanent() != permanent {
			t.Errorf("code %d: %v", code, err)
		}
	}
}

// TestSecretsInTheClear: over a connection that others may read, a password is not
// sent without leave.
func TestSecretsInTheClear(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secure, leave bool
		mechanism     string
		sent          bool
	}{
		"PLAIN":                 {false, false, Plain, false},
		"PLAIN over TLS":        {true, false, Plain, true},
		"PLAIN with leave":      {false, true, Plain, true},
		"XOAUTH2":               {false, false, XOAuth2, false},
		"SCRAM sends no secret": {false, false, ScramSHA256, true},
	} {
		a := authentication{secure: c.secure, credentials: Credentials{
			Username: "alice", Password: secret("x"), Token: secret("x"), AllowInsecure: c.leave, Mechanisms: []string{c.mechanism},
		}}
		_, err := a.choose([]string{c.mechanism})
		if (err == nil) != c.sent {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

func TestScramChecksThePeer(t *testing.T) {
	t.Parallel()
	s := newScram(Credentials{Username: "alice", Password: secret("x")})
	if _, err := s.begin(); err != nil {
		t.Fatal(err)
	}
	for _, challenge := range []string{
		"", "r=x", "r=" + s.nonce + ",s=c2FsdA==,i=4096", "r=" + s.nonce + "z,s=c2FsdA==,i=1", "r=" + s.nonce + "z,s=c2FsdA==,i=99999999",
		"r=" + s.nonce + "z,s=!,i=4096", "r=" + s.nonce + "z,i=4096", "m=x,r=" + s.nonce + "z,s=c2FsdA==,i=4096",
	} {
		if answer, err := s.answer(challenge); err == nil {
			t.Errorf("challenge %q is answered with %q", challenge, answer)
		}
	}
	if err := s.end(""); err == nil {
		t.Error("a peer that shows no signature is believed")
	}
	if _, err := s.answer("r=" + s.nonce + "z,s=c2FsdA==,i=4096"); err != nil {
		t.Fatal(err)
	}
	if err := s.end("v=AAAA"); err == nil {
		t.Error("a wrong signature is believed")
	}
	if err := s.end("v=" + encode64(s.signature)); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	authority := egresstest.NewAuthority(t)
	issued := authority.Issue(t, egresstest.Certificate{})
	p := startPeer(t, amqppeer.Options{TLS: &tls.Config{
		Certificates: []tls.Certificate{issued}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool,
	}})
	cert, key := egresstest.WriteFiles(t, t.TempDir(), issued)
	remote := Remote{Address: p.Addr(), TLS: true, Dialer: newDialer(t, profile.Options{
		TLS: profile.TLS{CAFile: authority.CAFile, CertFile: cert, KeyFile: key},
	})}
	peers := make(chan *PeerInfo, 1)
	c := newContainer(t, Options{OnEvent: func(e Event) {
		if e.Kind == Connected {
			peers <- e.Peer
		}
	}})
	s, err := c.Sender(remote, Target{Address: "q"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Send(within(t, soon), text("x"), SendOptions{})
	wantAccepted(t, o, err)
	if peer := <-peers; peer.Mechanism != ExternalTLS || peer.TLSVersion != "TLS 1.3" || len(peer.Fingerprint) != 64 {
		t.Errorf("peer: %+v", peer)
	}
}

func TestForeignProtocols(t *testing.T) {
	t.Parallel()
	for greeting, want := range map[string]string{
		"AMQP\x00\x00\x09\x01":          "AMQP 0-9-1",
		"AMQP\x01\x01\x00\x0a":          "AMQP 0-10",
		"AMQP\x00\x01\x00\x00":          "AMQP 1.0 only without SASL",
		"HTTP/1.1 400 Bad Request\r\n":  "HTTP",
		"\x15\x03\x01\x00\x02\x02\x16!": "TLS: use amqps",
		"220 mail.example ESMTP\r\n":    "something else",
	} {
		p := startPeer(t, amqppeer.Options{Greeting: []byte(greeting)})
		s := newTestSender(t, p, Options{}, Target{})
		_, err := s.Send(within(t, soon), text("x"), SendOptions{})
		wantFault(t, err, ErrProtocol, false)
		if fault, ok := errors.AsType[*ProtocolError](err); !ok || fault.Speaks != want {
			t.Errorf("%q: %v", greeting, err)
		}
	}
}

func TestPeerThatSaysNothing(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }() // it never accepts
	remote := Remote{Dialer: newDialer(t, profile.Options{}), Address: listener.Addr().String()}
	c := newContainer(t, Options{OpenTimeout: soon / 50})
	s, err := c.Sender(remote, Target{Address: "q"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Send(within(t, soon), text("x"), SendOptions{})
	wantFault(t, err, context.DeadlineExceeded, false)
	_, err = s.Send(within(t, soon), text("x"), SendOptions{})
	wantFault(t, err, ErrUnreachable, false)
}

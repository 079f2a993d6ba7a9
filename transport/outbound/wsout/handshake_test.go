package wsout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestRefusedHandshakes(t *testing.T) {
	t.Parallel()
	const permanent, temporary, throttled = transport.Permanent, transport.Temporary, transport.Throttled
	lenient, strict := local(t, nil), local(t, map[string]string{SettingPermanent4xx: "true"})
	for _, test := range []struct {
		status          int
		wait            string
		lenient, strict transport.Class
		retryAfter      time.Duration
	}{
		{200, "", temporary, temporary, 0},
		{204, "9", temporary, temporary, 0},
		{301, "", temporary, temporary, 0},
		{302, "9", temporary, temporary, 0},
		{307, "", temporary, temporary, 0},
		{400, "", temporary, permanent, 0},
		{401, "", temporary, permanent, 0},
		{403, "9", temporary, permanent, 0},
		{404, "", temporary, permanent, 0},
		{410, "", permanent, permanent, 0},
		{426, "", temporary, permanent, 0},
		{429, "9", throttled, throttled, 9 * time.Second},
		{500, "", temporary, temporary, 0},
		{503, "", temporary, temporary, 0},
		{503, "9", throttled, throttled, 9 * time.Second},
		{503, "Fri, 31 Dec 9999 23:59:59 GMT", throttled, throttled, 24 * time.Hour},
	} {
		t.Run(fmt.Sprint(test.status, test.wait), func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "ws://169.254.169.254/")
				if test.wait != "" {
					w.Header().Set("Retry-After", test.wait)
				}
				w.WriteHeader(test.status)
			}))
			t.Cleanup(server.Close)
			tr := start(t, Options{ReconnectWait: 1})
			for p, want := range map[*profile.Profile]transport.Class{lenient: test.lenient, strict: test.strict} {
				fault := fail(t, t.Context(), tr, message(t, p, strings.Replace(server.URL, "http", "ws", 1), "x"))
				expect(t, fault, want, fmt.Sprint(test.status), false)
				if fault.RetryAfter != test.retryAfter || fault.Gone != (test.status == http.StatusGone) || fault.Op != "handshake" {
					t.Errorf("op %q, retry after %v, gone %v", fault.Op, fault.RetryAfter, fault.Gone)
				}
			}
		})
	}
}

// Whatever answers a handshake wrongly has got nothing of the message.
func TestBrokenHandshakes(t *testing.T) {
	t.Parallel()
	answer := func(text string) func(*net.TCPConn, *bufio.Reader) {
		return func(conn *net.TCPConn, in *bufio.Reader) {
			if r, err := http.ReadRequest(in); err == nil {
				_, _ = conn.Write([]byte(strings.ReplaceAll(text, "KEY", acceptKey(r.Header.Get("Sec-WebSocket-Key")))))
			}
		}
	}
	const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	for name, test := range map[string]struct {
		play func(*net.TCPConn, *bufio.Reader)
		code string
	}{
		"never answered":        {func(_ *net.TCPConn, in *bufio.Reader) { _, _ = in.WriteTo(devNull{}) }, codeTimeout},
		"closed":                {answer(""), codeConnectionClosed},
		"cut short":             {answer(head), codeConnectionClosed},
		"garbage":               {answer("SSH-2.0-peer\r\n\r\n"), codeBadHandshake},
		"no key":                {answer(head + "\r\n"), codeBadHandshake},
		"wrong key":             {answer(head + "Sec-WebSocket-Accept: xKEY\r\n\r\n"), codeBadHandshake},
		"no upgrade":            {answer("HTTP/1.1 101 OK\r\nSec-WebSocket-Accept: KEY\r\n\r\n"), codeBadHandshake},
		"foreign sub-protocol":  {answer(head + "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"), codeBadHandshake},
		"compression":           {answer(head + "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"), codeBadHandshake},
		"header without an end": {answer("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxAnswerBytes)), codeBadHandshake},
		"reset": {func(conn *net.TCPConn, in *bufio.Reader) {
			_, _ = http.ReadRequest(in)
			_ = conn.SetLinger(0)
		}, codeConnectionReset},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := start(t, Options{HandshakeTimeout: 200 * time.Millisecond})
			expect(t, fail(t, t.Context(), tr, message(t, local(t, nil), "ws://"+fakepeer.Raw(t, test.play), "x")), transport.Temporary, test.code, false)
		})
	}
}

// devNull drops what is written.
type devNull struct{}

func (devNull) Write(p []byte) (int, error) { return len(p), nil }

func TestNothingListens(t *testing.T) {
	t.Parallel()
	fault := fail(t, t.Context(), start(t, Options{}), message(t, local(t, nil), "ws://"+fakepeer.Nobody(t), "x"))
	expect(t, fault, transport.Temporary, "connection_refused", false)
}

func TestGuardAndMessagesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	tr := start(t, Options{MaxMessageBytes: 8})
	open, acks := local(t, nil), local(t, map[string]string{SettingAck: "ping"})
	wrong := local(t, map[string]string{SettingMode: "sheared", SettingAck: "hope", SettingCloseCodes: "42=permanent", SettingConnections: "0", SettingAckPointer: "id", SettingSubprotocols: "a b"})
	for name, test := range map[string]struct {
		profile *profile.Profile
		uri     string
		change  func(m *outbound.Message)
		field   string
		class   transport.Class
		code    string
	}{
		"private address": {profile.Default(), "ws://10.0.0.1", nil, "endpoint", transport.Permanent, egress.CodeBlocked},
		"foreign scheme":  {open, "http://127.0.0.1", nil, "endpoint", transport.Permanent, codeBadMessage},
		"too long":        {open, "ws://127.0.0.1", func(m *outbound.Message) { m.Payload = make([]byte, 9) }, "payload", transport.Permanent, codeBadMessage},
		"text that is not UTF-8": {open, "ws://127.0.0.1", func(m *outbound.Message) { m.Payload = []byte("\xff") }, "payload",
			transport.Permanent, codeBadMessage},
		"reserved header": {open, "ws://127.0.0.1", func(m *outbound.Message) { m.Metadata = transport.Metadata{"upgrade": "h2c"} }, "metadata",
			transport.Permanent, codeBadMessage},
		"header of the handshake": {open, "ws://127.0.0.1", func(m *outbound.Message) { m.Metadata = transport.Metadata{"sec-websocket-key": "x"} }, "metadata",
			transport.Permanent, codeBadMessage},
		"header of ours": {open, "ws://127.0.0.1", func(m *outbound.Message) { m.Metadata = transport.Metadata{"message-id": "x"} }, "metadata",
			transport.Permanent, codeBadMessage},
		"sub-protocol in the metadata": {open, "ws://127.0.0.1", func(m *outbound.Message) { m.Metadata = transport.Metadata{"Sec-WebSocket-Protocol": "a"} }, "metadata",
			transport.Permanent, codeBadMessage},
		"header twice": {open, "ws://127.0.0.1", func(m *outbound.Message) { m.Metadata = transport.Metadata{"x-a": "1", "X-A": "2"} }, "metadata",
			transport.Permanent, codeBadMessage},
		"evidence without acknowledgements": {open, "ws://127.0.0.1", func(m *outbound.Message) { m.MinEvidence = transport.Acknowledged }, "min_evidence",
			transport.Temporary, codeNoAck},
		"settings": {wrong, "ws://127.0.0.1", nil, "profile", transport.Temporary, codeBadProfile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message(t, test.profile, test.uri, "x")
			if test.change != nil {
				test.change(m)
			}
			for _, checker := range []*Transport{tr, stopped(t, Options{MaxMessageBytes: 8})} {
				field, _ := errors.AsType[*outbound.FieldError](checker.CheckMessage(t.Context(), m))
				if field == nil || field.Field != test.field {
					t.Errorf("CheckMessage returns %v, want a fault of %s", field, test.field)
				}
			}
			expect(t, fail(t, t.Context(), tr, m), test.class, test.code, false)
		})
	}
	m := message(t, acks, "ws://127.0.0.1", "x")
	m.MinEvidence = transport.Acknowledged
	if err := tr.CheckMessage(t.Context(), m); err != nil {
		t.Errorf("with acknowledgements: %v", err)
	}
	err := tr.CheckMessage(t.Context(), message(t, wrong, "ws://127.0.0.1", "x"))
	for _, setting := range []string{SettingMode, SettingAck, SettingCloseCodes, SettingConnections, SettingAckPointer, SettingSubprotocols} {
		if !strings.Contains(err.Error(), setting) {
			t.Errorf("%q does not name %s", err, setting)
		}
	}
}

func stopped(t testing.TB, options Options) *Transport {
	t.Helper()
	tr, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestHandshakeHasWhatTheMessageSays(t *testing.T) {
	t.Parallel()
	requests := make(chan *http.Request, 8)
	server := serveWith(t, websocket.Upgrader{Subprotocols: []string{"b"}}, func(ws *websocket.Conn, r *http.Request) {
		requests <- r
		drain(ws)
	})
	tr := start(t, Options{})
	p := local(t, map[string]string{SettingSubprotocols: "a, b"})
	m := message(t, p, strings.Replace(server.uri(), "//", "//user:pass%2Fword@", 1)+"?q=1#key", "x")
	m.Metadata = transport.Metadata{"x-one": "1", "User-Agent": "acme/1"}
	deliver(t, tr, m)
	r := <-requests
	user, password, _ := r.BasicAuth()
	if r.URL.RequestURI() != "/inbox?q=1" || user != "user" || password != "pass/word" || r.Header.Get("X-Api-Key") != "key" ||
		r.Header.Get("X-One") != "1" || r.UserAgent() != "acme/1" || r.Header.Get("Sec-WebSocket-Protocol") != "a, b" || r.Header.Get("Message-Id") != "" {
		t.Errorf("got %s, %v", r.URL, r.Header)
	}
}

// A connection is shared by what has the same handshake, and by nothing else.
func TestConnectionsAreSharedByHandshake(t *testing.T) {
	t.Parallel()
	received := make(chan string, 100)
	server := serve(t, collect(received))
	tr := start(t, Options{})
	one, two := local(t, nil), local(t, map[string]string{"x": "y"})
	send := func(p *profile.Profile, suffix string, metadata transport.Metadata, connections int64) {
		t.Helper()
		m := message(t, p, server.uri()+suffix, "x")
		m.Metadata = metadata
		deliver(t, tr, m)
		<-received
		if got := server.connections.Load(); got != connections {
			t.Errorf("%s %v: %d connections, want %d", suffix, metadata, got, connections)
		}
	}
	send(one, "", nil, 1)
	send(one, "", nil, 1)
	send(one, "#key", nil, 2)
	send(one, "#key", nil, 2)
	send(one, "#other", nil, 3)
	send(one, "?q", nil, 4)
	send(one, "", transport.Metadata{"x-a": "1", "x-b": "2"}, 5)
	send(one, "", transport.Metadata{"X-B": "2", "X-A": "1"}, 5)
	send(one, "", transport.Metadata{"x-a": "1"}, 6)
	send(two, "", nil, 7)
	send(one, "", nil, 7)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	authority := egresstest.NewAuthority(t)
	received := make(chan string, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil); err == nil {
			collect(received)(ws, r)
			_ = ws.Close()
		}
	}))
	server.TLS = tlsConfig(authority.Issue(t, egresstest.Certificate{}))
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	uri := strings.Replace(server.URL, "https", "wss", 1)
	tr := start(t, Options{Ack: AckPing})
	deliver(t, tr, message(t, localWith(t, profile.Options{TLS: profile.TLS{CAFile: authority.CAFile}}), uri, "secured"))
	if got := <-received; got != "secured" {
		t.Errorf("got %q", got)
	}
	expect(t, fail(t, t.Context(), tr, message(t, local(t, nil), uri, "x")), transport.Temporary, "tls_certificate", false)
	plain := strings.Replace(refusingTLS(t), "ws://", "wss://", 1)
	expect(t, fail(t, t.Context(), tr, message(t, local(t, nil), plain, "x")), transport.Temporary, "tls_handshake", false)
	for _, metric := range []string{"connect", "tls", "handshake", "write", "ack", "total"} {
		if tr.Collector().Snapshot().Metrics[metric].Count == 0 {
			t.Errorf("%s was not timed", metric)
		}
	}
}

// refusingTLS is a peer that knows no TLS.
func refusingTLS(t *testing.T) string {
	return "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, _ *bufio.Reader) {
		_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	})
}

func TestDialEndsWithTheHardStop(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{})
	uri := "ws://" + fakepeer.Raw(t, func(_ *net.TCPConn, in *bufio.Reader) {
		_, _ = http.ReadRequest(in)
		close(reached)
		_, _ = in.ReadByte()
	})
	tr := stopped(t, Options{})
	ctx, halt := context.WithCancel(t.Context())
	defer halt()
	if err := tr.Start(ctx); err != nil {
		t.Fatal(err)
	}
	done := begin(t.Context(), tr, message(t, local(t, nil), uri, "x"))
	<-reached
	halt()
	expect(t, (<-done).fault, transport.Temporary, codeStopped, false)
	if err := tr.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

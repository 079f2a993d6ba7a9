package wsout

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// connOver returns a connection over one that is up, whose pool can dial no other.
func connOver(t testing.TB, options Options, client net.Conn) *conn {
	t.Helper()
	options.ReconnectWait, options.MaxReconnectWait = 1, 1
	tr := stopped(t, options)
	l := newLinks(context.WithoutCancel(t.Context()), tr.options, tr.metrics, tr.Collector().Observer(nil))
	tenant, err := newTenant(profile.Default(), l.options, l.options.Egress) // which may not reach loopback
	if err != nil {
		t.Fatal(err)
	}
	shake, fault := newHandshake(message(t, nil, "ws://127.0.0.1:1", ""), false)
	if fault != nil {
		t.Fatal(fault)
	}
	w := newWire(client, time.Second, &l.buffers)
	dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return w, nil }}
	ws, _, err := dialer.DialContext(t.Context(), "ws://peer", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.collect()
	p := newPool(l, tenant, shake, false)
	c := newConn(p, ws, w)
	c.limit = l.options.WindowFrames
	l.slots.fill(&slot{}, c)
	p.conns = append(p.conns, c)
	t.Cleanup(func() { _ = l.stop(context.WithoutCancel(t.Context())) })
	return c
}

// FuzzPeer has a peer send anything after a message. Nothing panics, and nothing
// but the right pong acknowledges.
func FuzzPeer(f *testing.F) {
	f.Add(frame(pongFrame, []byte("outrider:1")), true)
	f.Add(frame(textFrame, []byte("0198c0de-5b1e-7abc-8def-0123456789ab")), false)
	f.Add(frame(textFrame, []byte("00000000-0000-0000-0000-000000000000")), false) // no message has that id
	f.Add(frame(closeFrame, []byte{0x03, 0xf1, 'x'}), true)
	f.Add(append(frame(websocket.TextMessage, []byte("a")), frame(final, []byte("b"))...), false)
	f.Add(frame(textFrame|0x40, []byte{0x4a, 0x4c, 0x04, 0}), true)
	f.Add([]byte{binFrame, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false)
	f.Add(frame(pingFrame, []byte("x")), true)
	f.Fuzz(func(t *testing.T, sent []byte, pings bool) {
		client, server := net.Pipe()
		defer func() { _ = server.Close() }()
		played := make(chan struct{})
		go func() {
			defer close(played)
			in := bufio.NewReader(server)
			if !upgrade(server, in) {
				return
			}
			go func() { _, _ = in.WriteTo(devNull{}) }()
			_, _ = server.Write(sent)
			_ = server.Close()
		}()
		options := impatient(AckReply)
		if pings {
			options.Ack = AckPing
		}
		c := connOver(t, options, client)
		d := newDelivery()
		d.id, d.key, d.payload, d.queuedAt = transport.NewID(time.Now()), "key", []byte("x"), time.Now()
		c.pool.submit(d)
		c.run(c.pool.links.base)
		<-d.done
		r := d.result
		<-played
		right := bytes.Contains(sent, []byte("outrider:")) && pings || bytes.Contains(sent, []byte("key")) && !pings
		if r.fault == nil && !right {
			t.Errorf("acknowledged: %+v", r.receipt)
		}
	})
}

// brokenConn upgrades, and fails each read after that.
type brokenConn struct {
	net.Conn
	upgraded atomic.Bool
	reads    atomic.Int64
}

var errBroken = errors.New("broken")

func (c *brokenConn) Read(p []byte) (int, error) {
	if !c.upgraded.Load() {
		return c.Conn.Read(p)
	}
	c.reads.Add(1)
	return 0, errBroken
}

// gorilla panics at the thousandth read of a dead connection: ours is read once.
func TestDeadConnectionIsReadOnce(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer func() { _ = server.Close() }()
	go upgrade(server, bufio.NewReader(server))
	broken := &brokenConn{Conn: client}
	c := connOver(t, Options{}, broken)
	broken.upgraded.Store(true)
	c.run(c.pool.links.base)
	if got := broken.reads.Load(); got != 1 {
		t.Errorf("the dead connection was read %d times", got)
	}
}

func FuzzPointer(f *testing.F) {
	f.Add("/ack/id", `{"ack":{"id":"x"}}`)
	f.Add("/a~1b/~0/2", `{"a/b":{"~":[1,2,"x"]}}`)
	f.Add("", `"x"`)
	f.Add("/~2", `{}`)
	f.Add("/00", `["x"]`)
	f.Fuzz(func(t *testing.T, text, document string) {
		p, err := parsePointer(text)
		if err != nil {
			if text == "" || p != nil {
				t.Errorf("%q: %v, %v", text, p, err)
			}
			return
		}
		if (text == "") != (p == nil) || text != "" && strings.Count(text, "/") != len(p) {
			t.Errorf("%q became %q", text, p)
		}
		if found, ok := p.find([]byte(document)); ok {
			encoded, err := json.Marshal(found)
			if err != nil || len(encoded) < 2 {
				t.Errorf("found %q: %v", found, err)
			}
		}
	})
}

func TestPointer(t *testing.T) {
	t.Parallel()
	const document = `{"foo":["bar","baz"],"":"empty","a/b":"slash","c%d":"percent","m~n":"tilde","o":{"p":{"q":"deep"}},"n":1,"~1":"odd"}`
	for text, want := range map[string]string{
		"/foo/0": "bar", "/foo/1": "baz", "/": "empty", "/a~1b": "slash", "/c%d": "percent", "/m~0n": "tilde", "/o/p/q": "deep", "/~01": "odd",
		"": "", "/foo": "", "/foo/2": "", "/foo/-": "", "/foo/00": "", "/foo/-1": "", "/n": "", "/o/p": "", "/none": "", "/n/x": "",
	} {
		p, err := parsePointer(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got, ok := p.find([]byte(document)); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", text, got, ok)
		}
	}
	for _, text := range []string{"foo", "/~", "/~2", "/a~", "/a/b~x"} {
		if p, err := parsePointer(text); err == nil {
			t.Errorf("%q became %q", text, p)
		}
	}
}

func FuzzCloseCodes(f *testing.F) {
	f.Add("4001=permanent, 4100-4199=temporary")
	f.Add("3000-4999=permanent")
	f.Add("4001")
	f.Fuzz(func(t *testing.T, text string) {
		classes, err := parseCodeClasses(text)
		if err != nil {
			return
		}
		for _, r := range classes {
			if r.first < firstOwnCode || r.last > lastOwnCode || r.last < r.first {
				t.Errorf("%q has the range %d-%d", text, r.first, r.last)
			}
		}
		for _, code := range []int{firstOwnCode, 4001, lastOwnCode} {
			if class := classes.class(code); class != transport.Permanent && class != transport.Temporary {
				t.Errorf("%q gives %d the class %q", text, code, class)
			}
		}
	})
}

func TestCloseCodeSettings(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"4001", "x=permanent", "2999=permanent", "5000=permanent", "4002-4001=permanent", "4001=success", "4001=unknown", "4001-=permanent"} {
		if classes, err := parseCodeClasses(text); err == nil {
			t.Errorf("%q became %v", text, classes)
		}
	}
}

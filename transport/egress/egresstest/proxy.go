package egresstest

import (
	"bufio"
	"cmp"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/transport"
)

// OpenTunnel is the answer of a proxy that opens the tunnel it was asked for.
const OpenTunnel = "HTTP/1.1 200 OK\r\n\r\n"

// Proxy is an HTTP proxy on loopback that answers every request in the same way.
// Its user is "user", and the password "hunter2".
type Proxy struct {
	URL   transport.Secret
	Asked <-chan *http.Request // the requests, a hundred at most

	answer, target string
	asked          chan<- *http.Request
}

// NewProxy starts a proxy that says answer to whoever asks, and hangs up. Where that
// is [OpenTunnel], it connects first: to target, or else to where it was asked for.
// A tunnel ends when one of its ends does, and the test waits for that.
func NewProxy(t testing.TB, answer, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan *http.Request, 100)
	p := &Proxy{
		URL:    transport.NewSecret("http://user:hunter2@" + listener.Addr().String()),
		Asked:  asked,
		answer: answer, target: target, asked: asked,
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(conn) })
		}
	})
	return p
}

func (p *Proxy) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	request, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	p.asked <- request
	if p.answer != OpenTunnel {
		_, _ = io.WriteString(conn, p.answer)
		return
	}
	peer, err := net.Dial("tcp", cmp.Or(p.target, request.Host))
	if err != nil {
		return
	}
	var copying sync.WaitGroup
	copying.Go(func() {
		_, _ = io.Copy(peer, in)
		_ = peer.Close()
	})
	_, _ = io.WriteString(conn, p.answer)
	_, _ = io.Copy(conn, peer)
	_ = conn.Close()
	copying.Wait()
}

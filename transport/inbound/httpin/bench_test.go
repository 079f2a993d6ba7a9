package httpin_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/httpin"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
)

// BenchmarkPost posts 1 KiB over one connection: to the receiver, and to a bare
// handler that reads the body.
func BenchmarkPost(b *testing.B) {
	b.Run("httpin", func(b *testing.B) {
		tr, err := httpin.New("127.0.0.1:0", httpin.Options{})
		if err != nil {
			b.Fatal(err)
		}
		inboundtest.Start(b, func(context.Context, *inbound.Message) (*inbound.Reply, error) { return nil, nil }, inbound.Options{}, tr)
		post(b, tr.Address()[len("http://"):])
	})
	b.Run("bare", func(b *testing.B) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusOK)
		})}
		defer server.Close()
		go server.Serve(listener)
		post(b, listener.Addr().String())
	})
}

func post(b *testing.B, address string) {
	b.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	request := append([]byte("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"+
		"Message-Id: 0198c0de-5b1e-7abc-8def-0123456789ab\r\nContent-Length: 1024\r\n\r\n"), make([]byte, 1024)...)
	answers := bufio.NewReader(c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		for {
			line, err := answers.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(bytes.TrimRight(line, "\r\n")) == 0 {
				break
			}
		}
	}
}

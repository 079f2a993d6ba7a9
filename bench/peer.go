package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
)

// peerOrder is what the benchmark wants of the process that plays the peers.
type peerOrder struct {
	Post     string `json:"post,omitempty"`    // host:port to post to
	Connect  string `json:"connect,omitempty"` // host:port to open sockets to
	N        int    `json:"n,omitempty"`       // how many of either
	Received int    `json:"received,omitempty"`
	Error    string `json:"error,omitempty"`
}

// peerProcess is whoever sends to the receivers of the inbound benchmarks, in its
// own process, so that its cost is not taken for ours.
type peerProcess struct{ *child }

func startPeer(ctx context.Context) (*peerProcess, error) {
	second, err := startChild(ctx, "-peer")
	return &peerProcess{second}, err
}

// do gives an order, and returns what came of it.
func (p *peerProcess) do(order peerOrder) (peerOrder, error) {
	if err := json.NewEncoder(p.stdin).Encode(order); err != nil {
		return order, err
	}
	if err := p.answer(&order); err != nil {
		return order, err
	}
	if order.Error != "" {
		return order, errors.New(order.Error)
	}
	return order, nil
}

// runPeer does as it is told until its input ends.
func runPeer(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &peers{posting: map[string]*poster{}}
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var order peerOrder
		err := json.Unmarshal(in.Bytes(), &order)
		switch {
		case err != nil:
		case order.Post != "":
			err = p.post(ctx, order.Post, order.N)
		case order.Connect != "":
			err = p.connect(ctx, order.Connect, order.N)
		}
		order.Received = int(p.received.Load())
		if err != nil {
			order.Error = err.Error()
		}
		if err := out.Encode(order); err != nil {
			return err
		}
	}
	return nil
}

// peers post and connect as cheaply as can be: they must not be what is measured.
type peers struct {
	posting  map[string]*poster
	received atomic.Int64 // messages, by sockets
}

// poster posts over 64 connections that stay open.
type poster struct {
	conns   []net.Conn
	readers []*bufio.Reader
	request []byte
}

const postConnections = 64

func (p *peers) post(ctx context.Context, address string, n int) error {
	to := p.posting[address]
	if to == nil {
		to = &poster{request: fmt.Appendf(nil, "POST /inbox HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\n"+
			"Message-Id: 0198c0de-5b1e-7abc-8def-0123456789ab\r\nContent-Length: %d\r\n\r\n%s", address, payloadBytes, make([]byte, payloadBytes))}
		for range postConnections {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			to.conns, to.readers = append(to.conns, c), append(to.readers, bufio.NewReaderSize(c, 1<<10))
		}
		p.posting[address] = to
	}
	var left atomic.Int64
	left.Store(int64(n))
	errs := make([]error, postConnections)
	var group sync.WaitGroup
	for i := range to.conns {
		group.Go(func() {
			for errs[i] == nil && left.Add(-1) >= 0 {
				errs[i] = to.one(i)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// one posts a message and reads the answer, which has no body.
func (to *poster) one(i int) error {
	if _, err := to.conns[i].Write(to.request); err != nil {
		return err
	}
	for first := true; ; first = false {
		line, err := to.readers[i].ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")):
			return fmt.Errorf("the answer is %q", line)
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			return nil
		}
	}
}

// connect opens sockets. Each sends a message, so that it is known, and then
// answers pings and counts messages.
func (p *peers) connect(ctx context.Context, address string, n int) error {
	for i := range n {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		r := bufio.NewReaderSize(c, 512)
		if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nReturn-Route: all\r\nPeer: %d\r\n\r\n", i); err != nil {
			return err
		}
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return err
			}
			if len(bytes.TrimRight(line, "\r\n")) == 0 {
				break
			}
		}
		if _, err := c.Write([]byte("\x82\x82\x00\x00\x00\x00hi")); err != nil {
			return err
		}
		go p.listen(c, r)
	}
	return nil
}

// listen reads the frames of a socket, which are short.
func (p *peers) listen(c net.Conn, r *bufio.Reader) {
	defer func() { _ = c.Close() }()
	for {
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil || head[1] > 125 {
			return
		}
		payload := make([]byte, head[1])
		if _, err := io.ReadFull(r, payload); err != nil {
			return
		}
		switch head[0] & 0x0f {
		case 2:
			p.received.Add(1)
		case 9:
			pong := append([]byte{0x8a, 0x80 | head[1], 0, 0, 0, 0}, payload...)
			if _, err := c.Write(pong); err != nil {
				return
			}
		}
	}
}

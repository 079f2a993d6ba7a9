package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/outrider-go/outrider/internal/amqppeer"
)

// healthyPorts is how many destinations the sink offers beside the main one.
const healthyPorts = 99

// counts is what the sink has seen.
type counts struct {
	Messages    int64 `json:"messages"`
	Connections int64 `json:"connections"`
}

// hello is what the sink tells when it is ready.
type hello struct {
	Main    string   `json:"main"`
	Healthy []string `json:"healthy"`
	Hole    string   `json:"hole"` // accepts and never answers
	AMQP    string   `json:"amqp"` // an AMQP 1.0 peer that accepts every message
	WS      string   `json:"ws"`   // WebSocket
}

// sinkProcess is the receiver in its own process.
type sinkProcess struct {
	*child
	hello
}

func startSink(ctx context.Context) (*sinkProcess, error) {
	second, err := startChild(ctx, "-sink")
	if err != nil {
		return nil, err
	}
	s := &sinkProcess{child: second}
	err = s.answer(&s.hello)
	return s, err
}

func (s *sinkProcess) counts() (counts, error) {
	if _, err := io.WriteString(s.stdin, "\n"); err != nil {
		return counts{}, err
	}
	var c counts
	err := s.answer(&c)
	return c, err
}

// runSink serves until its input ends; each line asks for the counts.
func runSink(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &sink{}
	var h hello
	var err error
	if h.Main, err = s.listen(ctx, s.serve); err != nil {
		return err
	}
	for range healthyPorts {
		address, err := s.listen(ctx, s.serve)
		if err != nil {
			return err
		}
		h.Healthy = append(h.Healthy, address)
	}
	if h.Hole, err = s.listen(ctx, s.swallow); err != nil {
		return err
	}
	broker, err := amqppeer.Listen(ctx, "", amqppeer.Options{})
	if err != nil {
		return err
	}
	defer broker.Close()
	h.AMQP = broker.Addr()
	if h.WS, err = s.listen(ctx, s.serveWS); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(h); err != nil {
		return err
	}
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		if err := out.Encode(counts{s.messages.Load(), s.connections.Load()}); err != nil {
			return err
		}
	}
	return nil
}

// sink answers HTTP/1.1 as cheaply as can be: it must not be what is measured.
type sink struct {
	messages, connections atomic.Int64

	mu        sync.Mutex
	gathering int           // requests that wait for the others
	gathered  chan struct{} // closed when all are there
}

// gather returns when as many requests are in it as a contestant has in flight,
// so that each of them has a connection.
func (s *sink) gather() {
	s.mu.Lock()
	if s.gathering == 0 {
		s.gathered = make(chan struct{})
	}
	all := s.gathered
	if s.gathering++; s.gathering == inFlight {
		s.gathering = 0
		close(all)
	}
	s.mu.Unlock()
	<-all
}

func (s *sink) listen(ctx context.Context, serve func(net.Conn)) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			go serve(conn)
		}
	}()
	return listener.Addr().String(), nil
}

var (
	replyOK    = []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	replyEmpty = []byte("HTTP/1.1 204 No Content\r\n\r\n")
	keyLength  = []byte("content-length:")
	pathEmpty  = []byte("POST /empty ")
	pathGather = []byte("POST /gather ")
)

func (s *sink) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReaderSize(conn, 8<<10)
	for {
		length, path, err := readHead(r)
		if err != nil {
			return
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		s.messages.Add(1)
		reply := replyOK
		switch path {
		case toInbox:
		case toEmpty:
			reply = replyEmpty
		case toGather:
			s.gather()
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}

// path is what the sink heeds of a request's path.
type path int

const (
	toInbox path = iota
	toEmpty
	toGather
)

// readHead reads a request up to its body.
func readHead(r *bufio.Reader) (length int, to path, err error) {
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, to, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first && bytes.HasPrefix(line, pathEmpty):
			to = toEmpty
		case first && bytes.HasPrefix(line, pathGather):
			to = toGather
		case first:
		case len(line) == 0:
			return length, to, nil
		case len(line) > len(keyLength) && bytes.EqualFold(line[:len(keyLength)], keyLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(keyLength):]))); err != nil {
				return 0, to, err
			}
		}
	}
}

// swallow reads and never answers.
func (s *sink) swallow(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_, _ = io.Copy(io.Discard, conn)
}

package egresstest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// Response codes of DNS.
const (
	ServerFailure = 2
	NoSuchName    = 3
)

// Answer is what the DNS server says to a question.
type Answer struct {
	Addresses []netip.Addr // those of the family that was asked for are given
	Code      int          // 0: no error
	Silent    bool         // no answer at all
}

// NewResolver returns a resolver that asks answer about each name, in lower case
// and without the dot at its end. answer is called by many goroutines. When the
// test is over the server is gone, also for look-ups that nobody waits for any
// more.
func NewResolver(t testing.TB, answer func(name string) Answer) *net.Resolver {
	t.Helper()
	server := &dnsServer{answer: answer}
	t.Cleanup(server.close)
	return &net.Resolver{PreferGo: true, Dial: server.dial}
}

type dnsServer struct {
	answer func(name string) Answer

	serving sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	open    []net.Conn
}

var errServerClosed = errors.New("the DNS server of the test is closed")

func (s *dnsServer) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errServerClosed
	}
	client, server := net.Pipe()
	s.open = append(s.open, server)
	s.serving.Go(func() { serveDNS(server, s.answer) })
	return client, nil
}

func (s *dnsServer) close() {
	s.mu.Lock()
	s.closed = true
	for _, conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

// serveDNS answers questions framed as over TCP (RFC 1035 section 4.2.2), until
// the resolver hangs up.
func serveDNS(conn net.Conn, answer func(name string) Answer) {
	defer func() { _ = conn.Close() }()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		reply, silent := replyTo(question, answer)
		if silent {
			continue
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}

const (
	headerSize = 12
	typeA      = 1
)

// replyTo returns the framed reply to one question.
func replyTo(question []byte, answer func(name string) Answer) (framed []byte, silent bool) {
	name, kind, end := readQuestion(question)
	said := answer(name)
	if said.Silent {
		return nil, true
	}
	reply := append([]byte(nil), question[:end]...)
	reply[2], reply[3] = 0x81, 0x80|byte(said.Code) // a response, recursion available
	binary.BigEndian.PutUint32(reply[8:], 0)        // no authority, no additional records
	count := uint16(0)
	for _, addr := range said.Addresses {
		if addr.Is4() == (kind == typeA) {
			reply = appendRecord(reply, kind, addr.AsSlice())
			count++
		}
	}
	binary.BigEndian.PutUint16(reply[6:], count)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...), false
}

// readQuestion returns the name and the type asked for, and where the question
// ends.
func readQuestion(message []byte) (name string, kind uint16, end int) {
	var labels []string
	at := headerSize
	for message[at] != 0 {
		size := int(message[at])
		labels = append(labels, string(message[at+1:at+1+size]))
		at += 1 + size
	}
	return strings.ToLower(strings.Join(labels, ".")), binary.BigEndian.Uint16(message[at+1:]), at + 5
}

func appendRecord(reply []byte, kind uint16, address []byte) []byte {
	reply = append(reply, 0xc0, headerSize) // the name in the question
	reply = binary.BigEndian.AppendUint16(reply, kind)
	reply = append(reply, 0, 1, 0, 0, 0, 0) // class IN, not to be cached
	reply = binary.BigEndian.AppendUint16(reply, uint16(len(address)))
	return append(reply, address...)
}

package main

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // what RFC 6455 asks for
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
)

// acceptKey is the answer to a handshake's key (RFC 6455 section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// The opcodes of RFC 6455 section 5.2, with the bit of a final frame.
const (
	wsBinary = 0x82
	wsClose  = 0x88
	wsPong   = 0x8a
)

// serveWS reads frames as cheaply as can be. At /ack each message is acknowledged
// with a frame of one byte. Answers are collected while there is more to read.
func (s *sink) serveWS(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in, out := bufio.NewReaderSize(conn, 64<<10), bufio.NewWriterSize(conn, 16<<10)
	request, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	acks := request.URL.Path == "/ack"
	_, _ = io.WriteString(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		acceptKey(request.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
	for {
		if in.Buffered() < 2 {
			if err := out.Flush(); err != nil {
				return
			}
		}
		opcode, length, mask, err := readFrameHead(in)
		if err != nil {
			return
		}
		if opcode < wsClose&0xf {
			_, err = in.Discard(length)
			s.messages.Add(1)
			if acks {
				_, _ = out.Write([]byte{wsBinary, 1, 0})
			}
		} else {
			err = answerControl(in, out, opcode, length, mask)
		}
		if err != nil || opcode == wsClose&0xf {
			_ = out.Flush()
			return
		}
	}
}

// readFrameHead reads a masked frame up to its payload.
func readFrameHead(in *bufio.Reader) (opcode byte, length int, mask [4]byte, err error) {
	head, err := in.Peek(2)
	if err != nil {
		return 0, 0, mask, err
	}
	opcode, length = head[0]&0xf, int(head[1]&0x7f)
	size := 2 + len(mask)
	switch length {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if head, err = in.Peek(size); err != nil {
		return 0, 0, mask, err
	}
	switch length {
	case 126:
		length = int(binary.BigEndian.Uint16(head[2:]))
	case 127:
		length = int(binary.BigEndian.Uint64(head[2:])) //nolint:gosec // the benchmark's own frames
	}
	copy(mask[:], head[size-len(mask):])
	_, err = in.Discard(size)
	return opcode, length, mask, err
}

// answerControl answers a ping with a pong and a close with a close.
func answerControl(in *bufio.Reader, out *bufio.Writer, opcode byte, length int, mask [4]byte) error {
	payload, err := in.Peek(length)
	if err != nil {
		return err
	}
	answer := []byte{wsPong, byte(length)} //nolint:gosec // at most 125
	if opcode == wsClose&0xf {
		answer[0] = wsClose
	}
	for i := range payload {
		answer = append(answer, payload[i]^mask[i%4])
	}
	if _, err := in.Discard(length); err != nil {
		return err
	}
	if opcode == wsPong&0xf {
		return nil
	}
	_, err = out.Write(answer)
	return err
}

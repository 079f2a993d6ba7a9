package verbatim_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"github.com/Azure/go-amqp"

	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/amqp1/verbatim"
)

// TestThroughGoAMQP sends every type through go-amqp to a peer and receives it
// back, in one transfer and in many.
func TestThroughGoAMQP(t *testing.T) {
	t.Parallel()
	bodies := append([]value.Value{value.Binary(make([]byte, 100_000))}, everyType...)
	for _, chunk := range []int{1 << 15, 7} {
		for _, body := range bodies {
			encoded := encodeMessage(t, full(body))
			if got := roundTrip(t, encoded, chunk); !bytes.Equal(got, encoded) {
				t.Errorf("a body of %s in transfers of %d bytes: %d bytes became %d others", body.Type(), chunk, len(encoded), len(got))
			}
		}
	}
}

func roundTrip(t *testing.T, encoded []byte, chunk int) []byte {
	t.Helper()
	near, far := net.Pipe()
	peer := &echo{t: t, conn: far, in: bufio.NewReader(far), chunk: chunk}
	served := make(chan struct{})
	go func() { defer close(served); peer.serve() }()
	defer func() { <-served }()
	defer near.Close()

	conn, err := amqp.NewConn(t.Context(), verbatim.NewConn(near, 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	session, err := conn.NewSession(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := session.NewSender(t.Context(), "q", nil)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := sender.SendWithReceipt(t.Context(), verbatim.Message(encoded), nil)
	if err != nil {
		t.Fatal(err)
	}
	if state, err := receipt.Wait(t.Context()); err != nil || !isAccepted(state) {
		t.Fatalf("state is %T, %v", state, err)
	}
	receiver, err := session.NewReceiver(t.Context(), "q", &amqp.ReceiverOptions{Credit: 1})
	if err != nil {
		t.Fatal(err)
	}
	m, err := receiver.Receive(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return verbatim.Payload(m)
}

func isAccepted(state amqp.DeliveryState) bool {
	_, ok := state.(*amqp.StateAccepted)
	return ok
}

func TestReframe(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{
		{"transfer with a short list", "00000013" + "02000001" + "005314" + "c0020143" + "00537740", "0000001b" + "02000001" + "005314" + "c0020143" + "005375b000000004" + "00537740"},
		{"transfer with a long list", "00000019" + "02000000" + "005314" + "d00000000500000001" + "43" + "00537740", "00000021" + "02000000" + "005314" + "d00000000500000001" + "43" + "005375b000000004" + "00537740"},
		{"transfer with a long descriptor", "00000016" + "02000000" + "00800000000000000014" + "c0020143", "0000001e" + "02000000" + "00800000000000000014" + "c0020143" + "005375b000000000"},
		{"transfer of nothing", "0000000f" + "02000000" + "005314" + "c0020143", "00000017" + "02000000" + "005314" + "c0020143" + "005375b000000000"},
		{"transfer without fields", "0000000d" + "02000000" + "005314" + "45" + "aa", "00000015" + "02000000" + "005314" + "45" + "005375b000000001" + "aa"},
		{"extended header", "00000011" + "03000000" + "ffffffff" + "005314" + "45" + "aa", "00000019" + "03000000" + "ffffffff" + "005314" + "45" + "005375b000000001" + "aa"},
		{"flow", "0000000c" + "02000000" + "00531345", "0000000c" + "02000000" + "00531345"},
		{"empty frame", "00000008" + "02000000", "00000008" + "02000000"},
		{"SASL", "0000000c" + "02010000" + "00531445", "0000000c" + "02010000" + "00531445"},
		{"wrong size", "0000000d" + "02000000" + "00531345", ""},
		{"no header", "00000004", ""},
		{"body before its header ends", "0000000c" + "01000000" + "00531345", ""},
		{"body behind its end", "0000000c" + "04000000" + "00531345", ""},
		{"transfer that is no list", "0000000d" + "02000000" + "005314" + "a100", ""},
		{"transfer beyond the frame", "0000000d" + "02000000" + "005314" + "c005", ""},
		{"transfer far beyond the frame", "00000010" + "02000000" + "005314" + "d0ffffffff", ""},
		{"transfer cut", "0000000b" + "02000000" + "005314", ""},
		{"transfer's size cut", "0000000e" + "02000000" + "005314" + "d00000", ""},
	} {
		got, err := verbatim.Reframe([]byte("kept"), unhex(t, test.in))
		switch {
		case test.want == "" && (!errors.Is(err, verbatim.ErrFrame) || string(got) != "kept"):
			t.Errorf("%s: %q, %v; want ErrFrame", test.name, got, err)
		case test.want != "" && (err != nil || hex.EncodeToString(got[4:]) != test.want):
			t.Errorf("%s: %x, %v; want %s", test.name, got[4:], err, test.want)
		}
	}
}

func TestConnPassesFramesInPieces(t *testing.T) {
	t.Parallel()
	transfer := frameOf(t, perfTransfer, value.List{value.UInt(0)}, bytes.Repeat([]byte("x"), 50_000))
	flow := frameOf(t, perfFlow, value.List{value.UInt(0)}, nil)
	reframed, err := verbatim.Reframe(nil, transfer)
	if err != nil {
		t.Fatal(err)
	}
	header := []byte("AMQP\x03\x01\x00\x00")
	in := bytes.Join([][]byte{header, header, flow, transfer, transfer, flow}, nil)
	want := bytes.Join([][]byte{header, header, flow, reframed, reframed, flow}, nil)
	for name, reader := range map[string]io.Reader{
		"at once":      bytes.NewReader(in),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(in)),
		"with the end": iotest.DataErrReader(bytes.NewReader(in)),
		"halved":       iotest.HalfReader(bytes.NewReader(in)),
	} {
		got, err := io.ReadAll(verbatim.NewConn(readerConn{r: reader}, 0))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
		}
	}
}

func TestConnRefusesBadFrames(t *testing.T) {
	t.Parallel()
	header := []byte("AMQP\x00\x01\x00\x00")
	flow := frameOf(t, perfFlow, value.List{value.UInt(0)}, nil)
	long := binary.BigEndian.AppendUint32(nil, 101)
	for name, bad := range map[string][]byte{
		"too long":  append(long, 2, 0, 0, 0),
		"too short": {0, 0, 0, 7, 2, 0, 0, 0},
		"malformed": {0, 0, 0, 8, 1, 0, 0, 0},
	} {
		in := bytes.Join([][]byte{header, flow, bad}, nil)
		got, err := io.ReadAll(verbatim.NewConn(readerConn{r: bytes.NewReader(in)}, 100))
		if !errors.Is(err, verbatim.ErrFrame) || !bytes.Equal(got, in[:len(in)-len(bad)]) {
			t.Errorf("%s: %x, %v; want what came before, and ErrFrame", name, got, err)
		}
	}
	other := []byte("HTTP/1.1")
	got, err := io.ReadAll(verbatim.NewConn(readerConn{r: bytes.NewReader(other)}, 0))
	if err != nil || !bytes.Equal(got, other) {
		t.Errorf("another protocol: %q, %v", got, err)
	}
}

// FuzzConn: whatever arrives, a frame is passed on or is an error, and Reframe
// changes nothing but transfers.
func FuzzConn(f *testing.F) {
	f.Add([]byte("AMQP\x00\x01\x00\x00\x00\x00\x00\x13\x02\x00\x00\x01\x00\x53\x14\xc0\x02\x01\x43\x00\x53\x77\x40"))
	f.Add(frameOf(f, perfFlow, value.List{value.UInt(0)}, nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		at, errAt := io.ReadAll(verbatim.NewConn(readerConn{r: bytes.NewReader(in)}, 1000))
		slow, errSlow := io.ReadAll(verbatim.NewConn(readerConn{r: iotest.OneByteReader(bytes.NewReader(in))}, 1000))
		if !bytes.Equal(at, slow) || (errAt == nil) != (errSlow == nil) {
			t.Fatalf("at once: %x, %v; byte by byte: %x, %v", at, errAt, slow, errSlow)
		}
		if errAt != nil && !errors.Is(errAt, verbatim.ErrFrame) {
			t.Fatal(errAt)
		}
	})
}

// readerConn is a connection of which only the reading side is used.
type readerConn struct {
	net.Conn
	r io.Reader
}

func (c readerConn) Read(p []byte) (int, error) { return c.r.Read(p) }

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

package amqp1

import (
	"math"
	"time"
)

// PeerInfo is what the peer said of itself when the connection opened, and what
// TLS and SASL found out.
type PeerInfo struct {
	// ContainerID and Hostname are the peer's names for itself.
	ContainerID, Hostname string
	// MaxFrameSize is the longest frame the peer takes, in bytes.
	MaxFrameSize uint32
	// ChannelMax is the highest channel number: one less than the sessions it takes.
	ChannelMax uint16
	// IdleTimeout is the silence after which the peer gives up; 0: it never does.
	IdleTimeout time.Duration
	// OfferedCapabilities and DesiredCapabilities are the peer's extensions.
	OfferedCapabilities, DesiredCapabilities []string
	// Properties of the connection: often product and version.
	Properties map[string]any
	// Mechanism is the SASL mechanism that was used, empty for none.
	Mechanism string
	// TLSVersion and CipherSuite are names, empty without TLS.
	TLSVersion, CipherSuite string
	// Fingerprint is the SHA-256 of the peer's certificate, in hexadecimal digits.
	Fingerprint string
	// Address is the peer's network address.
	Address string
}

// readOpen reads the fields of an open (part 2, section 2.7.1). Its properties are
// go-amqp's to decode.
func readOpen(list fields) PeerInfo {
	info := PeerInfo{ContainerID: list.text(), Hostname: list.text()}
	var ok bool
	if info.MaxFrameSize, ok = list.uint(); !ok {
		info.MaxFrameSize = math.MaxUint32
	}
	if info.ChannelMax, ok = list.ushort(); !ok {
		info.ChannelMax = math.MaxUint16
	}
	idle, _ := list.uint()
	info.IdleTimeout = time.Duration(idle) * time.Millisecond
	list.skip(2)
	info.OfferedCapabilities, info.DesiredCapabilities = list.symbols(), list.symbols()
	return info
}

package amqp1

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/go-amqp"
)

// Bounds of a sender's window.
const (
	DefaultWindow      = 64
	MaxWindow          = 1000
	DefaultWindowBytes = 8 << 20
)

// Target is the node that messages are sent to, and how the link to it is to be.
type Target struct {
	// Address of the node. Empty is the anonymous terminus, which relays each message
	// to its own "to".
	Address string
	// Dynamic asks the peer to make a node, and to name it; Address is empty then.
	Dynamic bool
	// Durability, ExpiryPolicy, ExpiryTimeout (in seconds) and Capabilities of the
	// target. Default: none, at the end of the session, 0 and none.
	Durability    Durability
	ExpiryPolicy  ExpiryPolicy
	ExpiryTimeout uint32
	Capabilities  []string
	// Properties of the link. Default: none.
	Properties map[string]any
	// SettleSecond asks for the receiver settle mode "second", with which a peer
	// forgets a delivery only when we have seen its outcome. Peers that do not have
	// it refuse the link. Default: as the peer likes.
	SettleSecond bool
	// Window bounds the deliveries in flight. Default: DefaultWindow, at most
	// MaxWindow.
	Window int
	// WindowBytes bounds their payloads, but a single delivery may be longer. Default:
	// DefaultWindowBytes.
	WindowBytes int
}

func (t Target) validate() error {
	var faults []error
	if t.Dynamic && t.Address != "" {
		faults = append(faults, errors.New("a dynamic target has no address of its own"))
	}
	faults = append(faults, checkTerminus(t.Durability, t.ExpiryPolicy))
	if t.Window < 0 || t.Window > MaxWindow || t.WindowBytes < 0 {
		faults = append(faults, fmt.Errorf("window of %d messages and %d bytes: want at most %d messages", t.Window, t.WindowBytes, MaxWindow))
	}
	return errors.Join(faults...)
}

// checkTerminus checks what a source and a target have in common.
func checkTerminus(durability Durability, policy ExpiryPolicy) error {
	var faults []error
	if durability > DurabilityUnsettledState {
		faults = append(faults, fmt.Errorf("durability %d: want 0 to 2", durability))
	}
	if !validExpiry(policy) {
		faults = append(faults, fmt.Errorf("expiry policy %q: want %s", policy, expiryPolicies))
	}
	return errors.Join(faults...)
}

// expiryPolicies are those that validExpiry knows, for people.
const expiryPolicies = "link-detach, session-end, connection-close or never"

func validExpiry(policy ExpiryPolicy) bool {
	switch policy {
	case "", ExpiryLinkDetach, ExpirySessionEnd, ExpiryConnectionClose, ExpiryNever:
		return true
	}
	return false
}

// key is equal for targets whose links can be shared.
func (t Target) key() string {
	return fmt.Sprintf("%q %t %d %s %d %q %v %t %d %d", t.Address, t.Dynamic, t.Durability, t.ExpiryPolicy, t.ExpiryTimeout,
		strings.Join(t.Capabilities, "\x00"), t.Properties, t.SettleSecond, t.Window, t.WindowBytes)
}

// options are go-amqp's. Settle modes are left to the peer: go-amqp fails the
// attach when the peer does not echo what was asked for.
func (t Target) options(name string) *amqp.SenderOptions {
	o := &amqp.SenderOptions{
		Name: name, DynamicAddress: t.Dynamic, Properties: t.Properties,
		TargetDurability: t.Durability, TargetExpiryPolicy: t.ExpiryPolicy, TargetExpiryTimeout: t.ExpiryTimeout,
		TargetCapabilities: t.Capabilities,
	}
	if t.SettleSecond {
		o.RequestedReceiverSettleMode = amqp.ReceiverSettleModeSecond.Ptr()
	}
	return o
}

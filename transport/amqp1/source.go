package amqp1

import (
	"errors"
	"fmt"

	"github.com/Azure/go-amqp"
)

// Defaults of a receiver.
const (
	DefaultCredit          = 1024
	DefaultCreditThreshold = 256
	DefaultMaxMessageSize  = 16 << 20
	mostCredit             = 5000 // go-amqp's session window
)

// Source is the node that messages come from, and how the link from it is to be.
type Source struct {
	// Address of the node.
	Address string
	// Dynamic asks the peer to make a node, and to name it; Address is empty then, and
	// [Receiver.Address] has the name.
	Dynamic bool
	// LinkName names the link, which with our container id names a durable
	// subscription. Default: a name of its own for each attach.
	LinkName string
	// Durability, ExpiryPolicy, ExpiryTimeout (in seconds) and Capabilities of the
	// source. Default: none, at the end of the session, 0 and none.
	Durability    Durability
	ExpiryPolicy  ExpiryPolicy
	ExpiryTimeout uint32
	Capabilities  []string
	// Selector takes the messages only that it is true for, in the language of JMS
	// (apache.org:selector-filter:string). Default: all.
	Selector string
	// Filters are others. Default: none.
	Filters []Filter
	// Copy leaves the messages at the node for others: it browses. Default: they move.
	Copy bool
	// Properties of the link. Default: none.
	Properties map[string]any

	// Credit is how many messages the peer may send ahead, and CreditThreshold how many
	// are left of them when it gets more. With MaxMessageSize they bound the memory of a
	// link. Default: DefaultCredit, and a quarter of it.
	Credit, CreditThreshold int
	// Fetch gives credit only while somebody receives, one for each message. Default:
	// the peer sends ahead.
	Fetch bool
	// MaxMessageSize is the longest message, in bytes; a longer one ends the link.
	// Default: DefaultMaxMessageSize.
	MaxMessageSize uint64
}

// Filter is a filter of a source (part 3, section 3.5.8).
type Filter struct {
	Name string
	// Code is the numeric descriptor. Default: the name describes the value.
	Code  uint64
	Value any
}

// Validate names everything that is wrong.
func (s Source) Validate() error {
	var faults []error
	if (s.Address == "") != s.Dynamic {
		faults = append(faults, errors.New("a source has either an address or is dynamic"))
	}
	faults = append(faults, checkTerminus(s.Durability, s.ExpiryPolicy))
	if s.Credit < 0 || s.Credit > mostCredit || s.CreditThreshold < 0 {
		faults = append(faults, fmt.Errorf("credit %d with threshold %d: want at most %d", s.Credit, s.CreditThreshold, mostCredit))
	}
	if s.CreditThreshold > 0 && s.CreditThreshold >= s.withDefaults().Credit {
		faults = append(faults, errors.New("the credit threshold is not below the credit"))
	}
	for _, f := range s.Filters {
		if f.Name == "" {
			faults = append(faults, errors.New("a filter has no name"))
		}
	}
	return errors.Join(faults...)
}

func (s Source) withDefaults() Source {
	if s.Credit == 0 {
		s.Credit = DefaultCredit
	}
	if s.CreditThreshold == 0 {
		s.CreditThreshold = s.Credit / 4
	}
	if s.MaxMessageSize == 0 {
		s.MaxMessageSize = DefaultMaxMessageSize
	}
	return s
}

func (s Source) options(name string) *amqp.ReceiverOptions {
	o := &amqp.ReceiverOptions{
		Name: name, DynamicAddress: s.Dynamic, Properties: s.Properties, Credit: -1, MaxMessageSize: s.MaxMessageSize,
		SourceDurability: s.Durability, SourceExpiryPolicy: s.ExpiryPolicy, SourceExpiryTimeout: s.ExpiryTimeout,
		SourceCapabilities: s.Capabilities,
	}
	if s.Copy {
		o.SourceDistributionMode = amqp.SourceDistributionModeCopy
	}
	if s.Selector != "" {
		o.Filters = append(o.Filters, amqp.NewSelectorFilter(s.Selector))
	}
	for _, f := range s.Filters {
		o.Filters = append(o.Filters, amqp.NewLinkFilter(f.Name, f.Code, f.Value))
	}
	return o
}

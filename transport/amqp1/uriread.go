package amqp1

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The functions below read the values of options that the URIs of senders and of
// receivers have in common. Their errors say what is wanted and do not repeat the
// value; nothing is set then.

// ReadBool reads true or false.
func ReadBool(into *bool, value string) error {
	is, err := strconv.ParseBool(value)
	if err != nil {
		return errors.New("want true or false")
	}
	*into = is
	return nil
}

// ReadDurability reads the durability of a target or a source.
func ReadDurability(into *Durability, value string) error {
	level := slices.Index([]string{"none", "configuration", "unsettled-state"}, value)
	if level < 0 {
		return errors.New("want none, configuration or unsettled-state")
	}
	*into = Durability(level) //nolint:gosec // 0 to 2
	return nil
}

// ReadExpiryPolicy reads the expiry policy of a target or a source.
func ReadExpiryPolicy(into *ExpiryPolicy, value string) error {
	policy := ExpiryPolicy(value)
	if policy == "" || !validExpiry(policy) {
		return errors.New("want " + expiryPolicies)
	}
	*into = policy
	return nil
}

// ReadExpiryTimeout reads a duration, in whole seconds.
func ReadExpiryTimeout(into *uint32, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > math.MaxUint32*time.Second {
		return errors.New("want a duration such as 24h")
	}
	*into = uint32(d / time.Second)
	return nil
}

// ReadNames reads names with commas between them.
func ReadNames(into *[]string, value string) {
	*into = strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
}

package integration

import (
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
)

// The two directions meet in this interface, and do not import each other.
var _ outbound.Sessions = (*inbound.Manager)(nil)

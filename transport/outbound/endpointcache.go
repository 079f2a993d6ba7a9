package outbound

import (
	"sync/atomic"

	"github.com/outrider-go/outrider/transport"
)

// endpointCache keeps the endpoint a lane parsed last. Most messages of a lane
// go to the same one.
type endpointCache struct{ last atomic.Pointer[parsedURI] }

type parsedURI struct {
	uri      transport.Secret
	endpoint transport.Endpoint
}

func (c *endpointCache) parse(uri transport.Secret) (transport.Endpoint, error) {
	if last := c.last.Load(); last != nil && last.uri.Equal(uri) {
		return last.endpoint, nil
	}
	endpoint, err := transport.ParseEndpoint(uri.Reveal())
	if err == nil {
		c.last.Store(&parsedURI{uri, endpoint})
	}
	return endpoint, err
}

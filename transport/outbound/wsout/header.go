package wsout

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/httprules"
	"github.com/outrider-go/outrider/transport/outbound"
)

// newHeader makes the handshake's header of what a message's endpoint and its
// metadata say, or tells what is wrong with the metadata.
func newHeader(e transport.Endpoint, metadata transport.Metadata) (http.Header, *outbound.FieldError) {
	header := make(http.Header, len(metadata)+3)
	for name, value := range metadata {
		key, err := httprules.Key(e, name, value)
		switch {
		case err != nil:
		case key == "Sec-Websocket-Protocol":
			err = errSubprotocol
		case key == messageIDHeader, strings.HasPrefix(key, "Sec-Websocket-"): // gorilla sets the latter
			err = httprules.ErrReserved(name)
		case header[key] != nil:
			err = httprules.ErrTwice(name)
		}
		if err != nil {
			return nil, &outbound.FieldError{Field: "metadata", Err: err}
		}
		header[key] = []string{value}
	}
	if key := e.APIKey(); !key.IsZero() {
		if !httprules.IsValue(key.Reveal()) {
			return nil, &outbound.FieldError{Field: "endpoint", Err: httprules.ErrControl}
		}
		header[httprules.APIKeyHeader] = []string{key.Reveal()}
	}
	if user := e.URL().User; user != nil {
		header["Authorization"] = []string{httprules.BasicAuth(user)}
	}
	return header, nil
}

// metadataKey is one text for all metadata that makes the same header.
func metadataKey(metadata transport.Metadata) string {
	if len(metadata) == 0 {
		return ""
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		for _, part := range [...]string{strings.ToLower(name), metadata[name]} {
			b.WriteString(strconv.Itoa(len(part)))
			b.WriteByte(':')
			b.WriteString(part)
		}
	}
	return b.String()
}

package httprules

import (
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport"
)

func TestKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ uri, name, value, want, fault string }{
		"plain":          {"http://h", "x-a", "1", "X-A", ""},
		"no name":        {"http://h", "", "1", "", "not a header name"},
		"space in name":  {"http://h", "x a", "1", "", "not a header name"},
		"line break":     {"http://h", "x-a", "secret\r\nX-B: 2", "", "control character"},
		"NUL":            {"http://h", "x-a", "secret\x00", "", "control character"},
		"key twice":      {"http://h#k", "x-API-key", "secret", "", "set from the endpoint"},
		"key once":       {"http://h", "x-API-key", "k", "X-Api-Key", ""},
		"user twice":     {"http://u:p@h", "authorization", "secret", "", "set from the endpoint"},
		"user once":      {"http://h", "authorization", "Bearer x", "Authorization", ""},
		"tab in a value": {"http://h", "x-a", "1\t2", "X-A", ""},
		"framing":        {"http://h", "transfer-ENCODING", "secret", "", "set by the transport"},
		"hop by hop":     {"http://h", "te", "secret", "", "set by the transport"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := transport.ParseEndpoint(test.uri)
			if err != nil {
				t.Fatal(err)
			}
			key, err := Key(e, test.name, test.value)
			if key != test.want || (err == nil) != (test.fault == "") {
				t.Fatalf("got %q, %v", key, err)
			}
			if err != nil && (!strings.Contains(err.Error(), test.fault) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("got %q", err)
			}
		})
	}
}

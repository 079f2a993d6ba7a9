package httpout

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// masked stands for a secret in what is kept of an answer.
const masked = "***"

// sensitive are parts of the names of metadata whose values are secrets.
var sensitive = []string{"authorization", "cookie", "token", "key", "secret", "password"}

// mask returns the first keep bytes of an answer without the secrets that m sent
// along: a peer may answer with what it was sent. A secret that is cut off at the
// end is masked too. The answer itself stays as it is.
func mask(answer []byte, keep int, whole bool, m *outbound.Message) []byte {
	kept := answer[:min(len(answer), keep)]
	if len(kept) == 0 {
		return kept
	}
	secrets := secretsOf(m)
	if len(secrets) == 0 {
		return kept
	}
	cut := len(kept) < len(answer) || !whole
	kept = transport.Mask(kept, secrets)
	if cut {
		kept = maskEnd(kept, secrets)
	}
	return kept[:min(len(kept), keep)]
}

// maskEnd masks the longest beginning of a secret with which text ends.
func maskEnd(text []byte, secrets []string) []byte {
	longest := 0
	for _, secret := range secrets {
		for n := min(len(secret)-1, len(text)); n > longest; n-- {
			if bytes.HasSuffix(text, []byte(secret[:n])) {
				longest = n
			}
		}
	}
	if longest == 0 {
		return text
	}
	return append(text[:len(text)-longest:len(text)-longest], masked...)
}

// secretsOf returns what m sends that nobody else is to see; nil is nothing.
func secretsOf(m *outbound.Message) (secrets []string) {
	add := func(secret string) {
		if secret != "" {
			secrets = append(secrets, secret)
		}
	}
	if key := m.Endpoint.APIKey(); !key.IsZero() {
		add(key.Reveal())
	}
	if user := m.Endpoint.URL().User; user != nil {
		password, _ := user.Password()
		add(user.Username())
		add(password)
		add(strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)), "="))
	}
	for name, value := range m.Metadata {
		if isSensitive(name) {
			add(value)
			_, credentials, _ := strings.Cut(value, " ") // behind the word "Bearer", say
			add(credentials)
		}
	}
	return secrets
}

func isSensitive(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(sensitive, func(part string) bool { return strings.Contains(name, part) })
}

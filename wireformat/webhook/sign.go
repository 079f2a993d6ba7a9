package webhook

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// Names of the headers, in lower case.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// maxID is the longest id, in bytes.
const maxID = 256

// Signer signs with one or more secrets.
type Signer struct{ secrets []*secret }

// NewSigner returns a signer with the secrets, each of which may be a list with
// blanks between. Each gives a signature of its own: the first is the one in use,
// the others are of receivers that have not changed yet. The error wraps
// [ErrSecret].
func NewSigner(secrets ...transport.Secret) (*Signer, error) {
	s := &Signer{}
	for _, list := range secrets {
		parsed, err := parseSecrets(list)
		if err != nil {
			return nil, err
		}
		s.secrets = append(s.secrets, parsed...)
	}
	if len(s.secrets) == 0 {
		return nil, fmt.Errorf("%w: there is none", ErrSecret)
	}
	for _, each := range s.secrets {
		if !each.canSign() {
			return nil, fmt.Errorf("%w: %s is a public key, which cannot sign: give the %s", ErrSecret, publicPrefix, privatePrefix)
		}
	}
	return s, nil
}

// Sign returns the value of the header webhook-signature, for a message that is
// sent at that time. The body is exactly what goes out.
func (s *Signer) Sign(id string, at time.Time, body []byte) (string, error) {
	content, err := signedContent(id, at, body)
	if err != nil {
		return "", err
	}
	return s.signContent(content), nil
}

func (s *Signer) signContent(content []byte) string {
	signatures := make([]string, len(s.secrets))
	for i, each := range s.secrets {
		signatures[i] = each.sign(content)
	}
	return strings.Join(signatures, " ")
}

// signedContent returns id, time and body with dots between. An id with a dot
// could take bytes from its neighbours.
func signedContent(id string, at time.Time, body []byte) ([]byte, error) {
	if id == "" || len(id) > maxID || strings.Contains(id, ".") {
		return nil, errors.New("the id is empty, has a dot or is longer than 256 bytes")
	}
	content := make([]byte, 0, len(id)+len(body)+22)
	content = append(append(content, id...), '.')
	content = append(strconv.AppendInt(content, at.Unix(), 10), '.')
	return append(content, body...), nil
}

package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// ErrVerify is returned for a message that was not signed with the secret, or is
// too old.
var ErrVerify = errors.New("webhook not verified")

// DefaultTolerance is how far a message's time may be from the receiver's.
const DefaultTolerance = 5 * time.Minute

// maxSignatures bounds how many signatures of a header are looked at.
const maxSignatures = 64

// VerifierOptions say what a verifier takes.
type VerifierOptions struct {
	// Tolerance is how far the message's time may be from now, in both directions.
	// Default: 5 minutes.
	Tolerance time.Duration
}

// Verifier checks messages. Make it with [NewVerifier].
type Verifier struct {
	secrets   []*secret
	tolerance time.Duration
}

// NewVerifier returns a verifier that believes what any of the secrets signed:
// whsec_, whsk_ or whpk_, each possibly a list with blanks between. The error
// wraps [ErrSecret].
func NewVerifier(options VerifierOptions, secrets ...transport.Secret) (*Verifier, error) {
	if options.Tolerance < 0 {
		return nil, errors.New("webhook verifier: Tolerance is negative")
	}
	if options.Tolerance == 0 {
		options.Tolerance = DefaultTolerance
	}
	v := &Verifier{tolerance: options.Tolerance}
	for _, list := range secrets {
		parsed, err := parseSecrets(list)
		if err != nil {
			return nil, err
		}
		v.secrets = append(v.secrets, parsed...)
	}
	if len(v.secrets) == 0 {
		return nil, fmt.Errorf("%w: there is none", ErrSecret)
	}
	return v, nil
}

// VerifyRequest checks a request whose body was read as it came. It returns the
// message's id, by which a receiver knows what it has seen already. The error
// wraps [ErrVerify].
func (v *Verifier) VerifyRequest(header http.Header, body []byte) (id string, err error) {
	id = header.Get(HeaderID)
	return id, v.Verify(id, header.Get(HeaderTimestamp), header.Get(HeaderSignature), body)
}

// Verify checks a message by the values of its three headers. The error wraps
// [ErrVerify].
func (v *Verifier) Verify(id, timestamp, signatures string, body []byte) error {
	if id == "" || timestamp == "" || signatures == "" {
		return fmt.Errorf("%w: %s, %s or %s is missing", ErrVerify, HeaderID, HeaderTimestamp, HeaderSignature)
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != timestamp {
		return fmt.Errorf("%w: %s is not a number of seconds", ErrVerify, HeaderTimestamp)
	}
	at := time.Unix(seconds, 0)
	switch age := time.Since(at); {
	case age > v.tolerance:
		return fmt.Errorf("%w: the message is older than %s", ErrVerify, v.tolerance)
	case age < -v.tolerance:
		return fmt.Errorf("%w: the message is from more than %s in the future", ErrVerify, v.tolerance)
	}
	content, err := signedContent(id, at, body)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrVerify, err)
	}
	if !v.anyVerifies(signatures, content) {
		return fmt.Errorf("%w: no signature is of a secret that is known here", ErrVerify)
	}
	return nil
}

func (v *Verifier) anyVerifies(signatures string, content []byte) bool {
	for n, each := range strings.Fields(signatures) {
		if n == maxSignatures {
			break
		}
		scheme, text, _ := strings.Cut(each, ",")
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			continue
		}
		for _, s := range v.secrets {
			if s.verifies(scheme, raw, content) {
				return true
			}
		}
	}
	return false
}

package amqp1

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of the rounds that a peer may ask for: fewer do not protect the password
// (RFC 7677 has 4096, and brokers 1024), more are an attack on our processor.
const (
	fewestRounds = 1024
	mostRounds   = 1_000_000
)

// scram is the client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel
// binding. Names and passwords are used as they are: those with characters that
// SASLprep (RFC 4013) would change must be given in the changed form.
type scram struct {
	credentials Credentials
	gs2         string // the header
	bare        string // of the first message
	nonce       string
	signature   []byte // that the peer must show
	verified    bool
}

func newScram(c Credentials) *scram {
	var random [18]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand aborts the program instead
	s := &scram{credentials: c, gs2: "n,,", nonce: encode64(random[:])}
	if c.AuthorizationID != "" {
		s.gs2 = "n,a=" + escapeName(c.AuthorizationID) + ","
	}
	return s
}

func (s *scram) begin() (string, error) {
	s.bare = "n=" + escapeName(s.credentials.Username) + ",r=" + s.nonce
	return s.gs2 + s.bare, nil
}

func (s *scram) answer(challenge string) (string, error) {
	if s.signature != nil {
		return "", s.end(challenge)
	}
	nonce, salt, rounds, err := s.readChallenge(challenge)
	if err != nil {
		return "", err
	}
	salted, err := pbkdf2.Key(sha256.New, s.credentials.Password.Reveal(), salt, rounds, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("the password cannot be used: %w", err)
	}
	final := "c=" + encode64([]byte(s.gs2)) + ",r=" + nonce
	message := s.bare + "," + challenge + "," + final
	clientKey := sign(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	proof := sign(stored[:], message)
	subtle.XORBytes(proof, proof, clientKey)
	s.signature = sign(sign(salted, "Server Key"), message)
	return final + ",p=" + encode64(proof), nil
}

// readChallenge reads the peer's first message.
func (s *scram) readChallenge(challenge string) (nonce string, salt []byte, rounds int, err error) {
	for attribute := range strings.SplitSeq(challenge, ",") {
		name, value, _ := strings.Cut(attribute, "=")
		switch name {
		case "r":
			nonce = value
		case "s":
			if salt, err = base64.StdEncoding.DecodeString(value); err != nil {
				return "", nil, 0, errors.New("the peer's salt cannot be read")
			}
		case "i":
			if rounds, err = strconv.Atoi(value); err != nil {
				return "", nil, 0, errors.New("the peer's number of rounds cannot be read")
			}
		case "m":
			return "", nil, 0, errors.New("the peer wants an extension that is not known")
		}
	}
	switch {
	case !strings.HasPrefix(nonce, s.nonce) || len(nonce) == len(s.nonce):
		return "", nil, 0, errors.New("the peer does not continue our nonce")
	case len(salt) == 0:
		return "", nil, 0, errors.New("the peer sent no salt")
	case rounds < fewestRounds || rounds > mostRounds:
		return "", nil, 0, fmt.Errorf("the peer wants %d rounds, where %d to %d are allowed", rounds, fewestRounds, mostRounds)
	}
	return nonce, salt, rounds, nil
}

// end checks that the peer knows the password too. Its signature comes as a last
// challenge or with the outcome.
func (s *scram) end(final string) error {
	if s.verified && final == "" {
		return nil
	}
	text, ok := strings.CutPrefix(final, "v=")
	signature, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || s.signature == nil || !hmac.Equal(signature, s.signature) {
		return errors.New("the peer has not shown that it knows the password")
	}
	s.verified = true
	return nil
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

package secmod

import (
	"bufio"
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/outrider-go/outrider/internal/multikey"
	"github.com/outrider-go/outrider/internal/strictjson"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// maxKeyText is the longest text of a private key, in bytes.
const maxKeyText = 64 << 10

// ParseKey reads a private key, to be added to a module under the id; empty is the
// text of its public half, or what the text itself says. The text is one of
//
//   - hex, with or without 0x, or base58, of the seed of an Ed25519 key or the secret
//     number of another: of says which type it is;
//   - a JSON Web Key of the types OKP or EC;
//   - PEM: PKCS #8, SEC 1, or OpenSSH without a passphrase;
//   - a key file of autobahn, with lines such as "private-key-ed25519: ...".
//
// Where of is empty, hex and base58 are of an Ed25519 key; otherwise what the text
// says has to be of that type. The error wraps [ErrSecret].
func ParseKey(of profile.KeyType, id string, text transport.Secret) (Key, error) {
	if of != "" {
		var err error
		if of, err = typeOf(of); err != nil {
			return nil, err
		}
	}
	body := strings.TrimSpace(text.Reveal())
	if body == "" || len(body) > maxKeyText {
		return nil, fmt.Errorf("%w: it is empty, or has more than %d bytes", ErrSecret, maxKeyText)
	}
	parsed, err := parseSecret(of, body)
	if err != nil {
		return nil, err
	}
	defer clear(parsed.secret)
	if of != "" && parsed.of != of {
		return nil, fmt.Errorf("%w: it is of type %s, want %s", ErrSecret, parsed.of, of)
	}
	if id == "" {
		id = parsed.id
	}
	k, err := keyOfSecret(parsed.of, id, parsed.secret)
	if err == nil && parsed.public != nil && !bytes.Equal(parsed.public, k.PublicKey()) {
		return nil, fmt.Errorf("%w: its public half is another key's", ErrSecret)
	}
	return k, err
}

// parsedKey is what a text says.
type parsedKey struct {
	of     profile.KeyType
	id     string // where the text has one
	secret []byte
	public []byte // where the text has it
}

func parseSecret(of profile.KeyType, body string) (parsedKey, error) {
	switch {
	case body[0] == '{':
		return parseJWK([]byte(body))
	case strings.HasPrefix(body, "-----BEGIN"):
		return parsePEM([]byte(body))
	case strings.Contains(body, "private-key-"):
		return parseKeyFile(body)
	}
	if of == "" {
		of = profile.Ed25519
	}
	if raw, err := hex.DecodeString(strings.TrimPrefix(body, "0x")); err == nil {
		return parsedKey{of: of, secret: raw}, nil
	}
	raw, err := multikey.DecodeBase58(body)
	if err != nil {
		return parsedKey{}, fmt.Errorf("%w: want hex, base58, a JSON Web Key, PEM or a key file", ErrSecret)
	}
	if of == profile.Ed25519 && len(raw) == ed25519.PrivateKeySize { // seed and public half, as indy writes them
		return parsedKey{of: of, secret: raw[:ed25519.SeedSize], public: raw[ed25519.SeedSize:]}, nil
	}
	return parsedKey{of: of, secret: raw}, nil
}

// webCurves are the names of curves in JSON Web Keys (RFC 7518, 8037, 8812).
var webCurves = map[string]profile.KeyType{
	"Ed25519": profile.Ed25519, "X25519": profile.X25519, "secp256k1": profile.Ethereum,
	"P-256": profile.P256, "P-384": profile.P384, "P-521": profile.P521,
}

func parseJWK(text []byte) (parsedKey, error) {
	members, err := strictjson.ParseObject(text, 4)
	if err != nil {
		return parsedKey{}, fmt.Errorf("%w: the JSON Web Key: %w", ErrSecret, err)
	}
	fields := map[string]string{}
	for _, name := range []string{"kty", "crv", "d", "x", "y", "kid"} {
		if fields[name], err = members.Text(name); err != nil {
			return parsedKey{}, fmt.Errorf("%w: the JSON Web Key: %w", ErrSecret, err)
		}
	}
	parsed := parsedKey{of: webCurves[fields["crv"]], id: fields["kid"]}
	if parsed.of == "" || fields["d"] == "" {
		return parsedKey{}, fmt.Errorf("%w: the JSON Web Key has no curve that is known here, or no private half", ErrSecret)
	}
	decode := func(name string) []byte {
		raw, decodeErr := base64.RawURLEncoding.DecodeString(fields[name])
		if decodeErr != nil && err == nil {
			err = fmt.Errorf("%w: the JSON Web Key: %s is not base64url", ErrSecret, name)
		}
		return raw
	}
	parsed.secret, parsed.public = decode("d"), decode("x")
	if y := decode("y"); len(y) > 0 {
		parsed.public = append(append([]byte{4}, parsed.public...), y...)
	}
	if len(parsed.public) == 0 {
		parsed.public = nil
	}
	return parsed, err
}

func parsePEM(text []byte) (parsedKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return parsedKey{}, fmt.Errorf("%w: the PEM is damaged", ErrSecret)
	}
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	case "OPENSSH PRIVATE KEY":
		parsed, err = ssh.ParseRawPrivateKey(text)
	default:
		return parsedKey{}, fmt.Errorf("%w: the PEM holds something else", ErrSecret)
	}
	if err != nil {
		return parsedKey{}, fmt.Errorf("%w: the PEM is damaged, or has a passphrase", ErrSecret)
	}
	switch key := parsed.(type) {
	case ed25519.PrivateKey:
		return parsedKey{of: profile.Ed25519, secret: key.Seed()}, nil
	case *ed25519.PrivateKey:
		return parsedKey{of: profile.Ed25519, secret: key.Seed()}, nil
	case *ecdh.PrivateKey:
		return parsedKey{of: profile.X25519, secret: key.Bytes()}, nil
	case *ecdsa.PrivateKey:
		for of, c := range curves {
			if c.elliptic == key.Curve && key.Curve != elliptic.P224() {
				secret, err := key.Bytes()
				return parsedKey{of: of, secret: secret}, err
			}
		}
	}
	return parsedKey{}, fmt.Errorf("%w: the PEM holds a key of a type that is not known here", ErrSecret)
}

// parseKeyFile reads the lines "name: value" that autobahn writes. Of a file with
// several private keys, the first counts.
func parseKeyFile(text string) (parsedKey, error) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		of, ok := strings.CutPrefix(strings.TrimSpace(name), "private-key-")
		if !ok {
			continue
		}
		kind, err := typeOf(profile.KeyType(of))
		if err != nil {
			continue
		}
		raw, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(value), "0x"))
		if err != nil {
			return parsedKey{}, fmt.Errorf("%w: in the key file, private-key-%s is not hex", ErrSecret, kind)
		}
		return parsedKey{of: kind, secret: raw}, nil
	}
	return parsedKey{}, fmt.Errorf("%w: the key file has no private key", ErrSecret)
}

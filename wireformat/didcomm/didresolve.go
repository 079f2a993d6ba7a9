package didcomm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/internal/multikey"
	"github.com/outrider-go/outrider/internal/strictjson"
	"github.com/outrider-go/outrider/profile"
)

// keyResolver makes the document of a did:key, which is a public key.
type keyResolver struct{ cache cache[*Document] }

// Resolve implements [Resolver].
func (r *keyResolver) Resolve(_ context.Context, did string) (*Document, error) {
	return r.cache.get(did, keyDocument)
}

func keyDocument(did string) (*Document, error) {
	name, ok := strings.CutPrefix(did, "did:key:")
	of, public, err := multikey.Decode(name)
	if !ok || err != nil {
		return nil, fmt.Errorf("%w: did:key: %w", ErrDID, errors.Join(err))
	}
	own := Method{did + "#" + name, of, public}
	d := &Document{ID: did}
	switch of {
	case profile.X25519:
		d.KeyAgreement = []Method{own}
		return d, nil
	case profile.Ed25519:
		montgomery, err := multikey.Montgomery(public)
		if err != nil {
			return nil, fmt.Errorf("%w: did:key: %w", ErrDID, err)
		}
		text, err := multikey.Encode(profile.X25519, montgomery)
		if err != nil {
			return nil, fmt.Errorf("%w: did:key: %w", ErrDID, err)
		}
		d.KeyAgreement = []Method{{did + "#" + text, profile.X25519, montgomery}}
	case profile.P256, profile.P384, profile.P521:
		d.KeyAgreement = []Method{own}
	case profile.Ethereum:
	}
	d.Authentication = []Method{own}
	return d, nil
}

// peerPrefix begins a did:peer of numalgo 2: a list of keys and services.
const peerPrefix = "did:peer:2"

// peerResolver makes the document of a did:peer:2.
type peerResolver struct{}

// Resolve implements [Resolver].
func (peerResolver) Resolve(_ context.Context, did string) (*Document, error) {
	rest, ok := strings.CutPrefix(did, peerPrefix)
	if !ok || !strings.HasPrefix(rest, ".") || len(did) > maxDID {
		return nil, fmt.Errorf("%w: of did:peer, only did:peer:2 is known, and it has parts that begin with dots", ErrDID)
	}
	d := &Document{ID: did}
	keys := 0
	for part := range strings.SplitSeq(rest[1:], ".") {
		if part == "" {
			return nil, fmt.Errorf("%w: did:peer:2 has an empty part", ErrDID)
		}
		if part[0] == 'S' {
			if err := d.addPeerServices(part[1:]); err != nil {
				return nil, fmt.Errorf("%w: did:peer:2: %w", ErrDID, err)
			}
			continue
		}
		of, public, err := multikey.Decode(part[1:])
		if err != nil {
			return nil, fmt.Errorf("%w: did:peer:2: %w", ErrDID, err)
		}
		keys++
		m := Method{fmt.Sprintf("%s#key-%d", did, keys), of, public}
		switch part[0] {
		case 'V':
			d.Authentication = append(d.Authentication, m)
		case 'E':
			d.KeyAgreement = append(d.KeyAgreement, m)
		case 'A', 'D', 'I': // assertions, delegations and invocations: not for messages
		default:
			return nil, fmt.Errorf("%w: did:peer:2 has a part of an unknown purpose", ErrDID)
		}
	}
	return d, nil
}

func (d *Document) addPeerServices(encoded string) error {
	text, err := fromBase64(encoded)
	if err != nil {
		return errors.New("a service is not base64url")
	}
	elements := []json.RawMessage{text}
	if strings.HasPrefix(strings.TrimSpace(string(text)), "[") {
		if err := strictjson.Check(text, maxDepth); err != nil {
			return err
		}
		if elements, err = strictjson.Elements(text); err != nil {
			return err
		}
	}
	for _, element := range elements {
		service, err := parseService(element, true)
		if err != nil {
			return err
		}
		d.Services = append(d.Services, service)
	}
	return nil
}

// parseService reads a service; those in a did:peer have short names.
func parseService(text []byte, short bool) (Service, error) {
	names := map[string]string{"type": "type", "serviceEndpoint": "serviceEndpoint", "uri": "uri", "routingKeys": "routingKeys", "accept": "accept"}
	if short {
		names = map[string]string{"type": "t", "serviceEndpoint": "s", "uri": "uri", "routingKeys": "r", "accept": "a"}
	}
	members, err := strictjson.ParseObject(text, maxDepth)
	if err != nil {
		return Service{}, err
	}
	var s Service
	if s.ID, err = members.Text("id"); err != nil {
		return s, err
	}
	if s.Type, err = members.Text(names["type"]); err != nil {
		return s, err
	}
	if s.Type == "dm" && short {
		s.Type = "DIDCommMessaging"
	}
	from := members
	switch endpoint := members[names["serviceEndpoint"]]; {
	case len(endpoint) > 0 && endpoint[0] == '{':
		if from, err = strictjson.ParseObject(endpoint, maxDepth); err != nil {
			return s, err
		}
		s.URI, err = from.Text(names["uri"])
	default:
		s.URI, err = members.Text(names["serviceEndpoint"])
	}
	return s, errors.Join(err, from.Into(names["routingKeys"], &s.RoutingKeys), from.Into(names["accept"], &s.Accept))
}

// isOldPeerID reports the id that older libraries give a key of a did:peer:2: its
// multibase text without the prefix.
func isOldPeerID(m *Method, id string) bool {
	did, fragment := splitURL(id)
	if !strings.HasPrefix(did, peerPrefix) || !strings.HasPrefix(m.ID, did+"#") {
		return false
	}
	text, err := multikey.Encode(m.Type, m.Public)
	return err == nil && (fragment == text || fragment == text[1:])
}

// PeerDID returns the did:peer:2 of keys that sign and keys that agree.
func PeerDID(authentication, agreement []profile.Key) (string, error) {
	var did strings.Builder
	did.WriteString(peerPrefix)
	for _, list := range []struct {
		purpose string
		keys    []profile.Key
	}{{"V", authentication}, {"E", agreement}} {
		for _, key := range list.keys {
			of, public := key.Type(), key.PublicKey()
			if of == profile.Ed25519 && list.purpose == "E" {
				montgomery, err := multikey.Montgomery(public)
				if err != nil {
					return "", err
				}
				of, public = profile.X25519, montgomery
			}
			text, err := multikey.Encode(of, public)
			if err != nil {
				return "", err
			}
			did.WriteString("." + list.purpose + text)
		}
	}
	return did.String(), nil
}

package didcomm

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/internal/multikey"
	"github.com/outrider-go/outrider/internal/strictjson"
	"github.com/outrider-go/outrider/profile"
)

// ErrDID is returned for a DID that is not known, or whose document cannot be read.
var ErrDID = errors.New("DID cannot be resolved")

// Limits of DIDs and their documents.
const (
	maxDID      = 8 << 10
	maxDocument = 1 << 20
	maxMethods  = 128
)

// Resolver finds documents of DIDs. It is used by many goroutines at once. The DIDs
// of what is parsed are a stranger's: one that uses the network bounds where it
// goes, and how long it takes.
type Resolver interface {
	// Resolve returns the document of a DID without a fragment, which nobody changes
	// any more. The error wraps [ErrDID].
	Resolve(ctx context.Context, did string) (*Document, error)
}

// Document is what DIDComm needs to know of a DID.
type Document struct {
	ID             string
	Authentication []Method // keys that sign
	KeyAgreement   []Method // keys that are encrypted for, and with
	Services       []Service
}

// Method is a public key of a document.
type Method struct {
	ID     string // a DID URL
	Type   profile.KeyType
	Public []byte // in the form of profile.Key
}

// Service is where a DID takes messages.
type Service struct {
	ID, Type, URI string
	RoutingKeys   []string // the first is outermost
	Accept        []string
}

// Resolvers are resolvers by the method of a DID, such as "web".
type Resolvers map[string]Resolver

// Resolve implements [Resolver].
func (r Resolvers) Resolve(ctx context.Context, did string) (*Document, error) {
	method, err := methodOf(did)
	if err != nil {
		return nil, err
	}
	if resolver := r[method]; resolver != nil {
		return resolver.Resolve(ctx, did)
	}
	return nil, fmt.Errorf("%w: there is no resolver for the method %q", ErrDID, method)
}

// DefaultResolver resolves did:key and did:peer:2.
func DefaultResolver() Resolver { return Resolvers{"key": &keyResolver{}, "peer": peerResolver{}} }

// Documents is a Resolver of documents that are known beforehand.
type Documents map[string]*Document

// Resolve implements [Resolver].
func (d Documents) Resolve(_ context.Context, did string) (*Document, error) {
	if document := d[did]; document != nil {
		return document, nil
	}
	return nil, fmt.Errorf("%w: %q is not known", ErrDID, did)
}

// methodOf returns the method of a DID.
func methodOf(did string) (string, error) {
	rest, ok := strings.CutPrefix(did, "did:")
	method, name, _ := strings.Cut(rest, ":")
	if !ok || method == "" || name == "" || len(did) > maxDID || strings.ContainsAny(did, "#? \t\r\n") {
		return "", fmt.Errorf("%w: want did:method:name", ErrDID)
	}
	return method, nil
}

// splitURL returns the DID of a DID URL and its fragment.
func splitURL(url string) (did, fragment string) {
	did, fragment, _ = strings.Cut(url, "#")
	return did, fragment
}

// ParseDocument reads a document of a DID in JSON. Keys are JSON Web Keys or
// multibase text; keys and services that are not known here are left out.
func ParseDocument(text []byte) (*Document, error) {
	fail := func(err error) (*Document, error) { return nil, fmt.Errorf("%w: its document: %w", ErrDID, err) }
	if len(text) > maxDocument {
		return fail(fmt.Errorf("it has more than %d bytes", maxDocument))
	}
	members, err := strictjson.ParseObject(text, maxDepth)
	if err != nil {
		return fail(err)
	}
	d := &Document{}
	if d.ID, err = members.Text("id"); err != nil {
		return fail(err)
	}
	if _, err := methodOf(d.ID); err != nil {
		return nil, err
	}
	known, err := d.methods(members, "verificationMethod", nil)
	if err != nil {
		return fail(err)
	}
	if d.Authentication, err = d.methods(members, "authentication", known); err != nil {
		return fail(err)
	}
	if d.KeyAgreement, err = d.methods(members, "keyAgreement", known); err != nil {
		return fail(err)
	}
	if members.Has("service") {
		elements, err := strictjson.Elements(members["service"])
		if err != nil {
			return fail(err)
		}
		for _, element := range elements {
			if service, err := parseService(element, false); err == nil {
				d.Services = append(d.Services, service)
			}
		}
	}
	return d, nil
}

// methods reads a list of methods, or of references to those that are known.
func (d *Document) methods(members strictjson.Object, name string, known []Method) ([]Method, error) {
	if !members.Has(name) {
		return nil, nil
	}
	elements, err := strictjson.Elements(members[name])
	if err != nil || len(elements) > maxMethods {
		return nil, fmt.Errorf("%s is not a list of at most %d", name, maxMethods)
	}
	var methods []Method
	for _, element := range elements {
		if element[0] == '"' {
			id := d.absolute(string(strictjson.Unquote(element)))
			for _, method := range known {
				if method.ID == id {
					methods = append(methods, method)
				}
			}
			continue
		}
		if method, err := d.parseMethod(element); err == nil {
			methods = append(methods, method)
		}
	}
	return methods, nil
}

// absolute makes a DID URL of an id that may be only its fragment.
func (d *Document) absolute(id string) string {
	if strings.HasPrefix(id, "#") {
		return d.ID + id
	}
	return id
}

func (d *Document) parseMethod(text []byte) (Method, error) {
	members, err := strictjson.ParseObject(text, maxDepth)
	if err != nil {
		return Method{}, err
	}
	id, err := members.Text("id")
	if err != nil {
		return Method{}, err
	}
	m := Method{ID: d.absolute(id)}
	multibase, err := members.Text("publicKeyMultibase")
	switch {
	case err != nil:
		return Method{}, err
	case members.Has("publicKeyJwk"):
		m.Type, m.Public, err = parsePublicJWK(members["publicKeyJwk"])
	default:
		m.Type, m.Public, err = multikey.Decode(multibase)
	}
	return m, err
}

// parsePublicJWK reads the public half of a JSON Web Key. That its point is on the
// curve is seen when it is used, and here for those of text.
func parsePublicJWK(text []byte) (profile.KeyType, []byte, error) {
	members, err := strictjson.ParseObject(text, maxDepth)
	if err != nil {
		return "", nil, err
	}
	words := map[string]string{}
	for _, name := range []string{"kty", "crv", "x", "y"} {
		if words[name], err = members.Text(name); err != nil {
			return "", nil, err
		}
	}
	of, size := jwkCurve(words["kty"], words["crv"])
	x, errX := base64.RawURLEncoding.DecodeString(words["x"])
	y, errY := base64.RawURLEncoding.DecodeString(words["y"])
	if of == "" || errX != nil || errY != nil || len(x) != size {
		return "", nil, errors.New("the JSON Web Key has a curve that is not known, or a coordinate of another length")
	}
	public := x
	if words["kty"] == "EC" {
		if len(y) != size {
			return "", nil, errors.New("the JSON Web Key has a coordinate of another length")
		}
		public = append(append([]byte{4}, x...), y...)
	}
	_, err = multikey.Encode(of, public)
	return of, public, err
}

// jwkCurve returns the type of a key, and the length of a coordinate.
func jwkCurve(kty, crv string) (profile.KeyType, int) {
	switch kty + " " + crv {
	case "OKP Ed25519":
		return profile.Ed25519, 32
	case "OKP X25519":
		return profile.X25519, 32
	case "EC P-256":
		return profile.P256, 32
	case "EC P-384":
		return profile.P384, 48
	case "EC P-521":
		return profile.P521, 66
	case "EC secp256k1":
		return profile.Ethereum, 32
	}
	return "", 0
}

// method returns the method of that id, nil where there is none.
func method(methods []Method, id string) *Method {
	for i := range methods {
		if methods[i].ID == id || isOldPeerID(&methods[i], id) {
			return &methods[i]
		}
	}
	return nil
}

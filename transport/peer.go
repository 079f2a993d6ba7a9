package transport

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Schemes of the endpoints that stand for a [Peer].
const (
	SchemeSession = "session" // a session that the peer has open now, or none
	SchemePickup  = "pickup"  // the peer's next session: what is sent waits for it
)

// maxPeerKeys is how many keys a peer may have.
const maxPeerKeys = 16

// What stands in the way of a message to a peer. Nothing of it was sent.
var (
	// ErrNoSession: the peer has no session that takes the message now.
	ErrNoSession = errors.New("the peer has no session that takes the message")
	// ErrSessionGone: the one session that was asked for is closed, and will not
	// open again.
	ErrSessionGone = errors.New("the session is closed")
)

// Peer names somebody who is reached on a connection that they opened: by keys
// that they have shown, or by the session itself.
type Peer struct {
	// Keys are those the peer may answer to; one of them is enough.
	Keys []string
	// Session is the id of the session to try before the peer's others. Without
	// Keys it is the only one. A pickup has none.
	Session string
	// Thread is the thread a message belongs to, for sessions that take only
	// certain threads. A pickup has none.
	Thread string
}

// PeerKeys returns the keys by which a peer is known that has shown these, each as
// [PeerKey] does.
func PeerKeys(shown []string) []string {
	var known []string
	for i, key := range shown {
		name := PeerKey(key)
		if name == key {
			continue
		}
		if known == nil {
			known = slices.Clone(shown)
		}
		known[i] = name
	}
	if known == nil {
		return shown
	}
	return known
}

// PeerKey returns the key by which a peer is known that has shown this one. A DID URL
// names one key of a DID, and who has several is still one peer; an Ed25519 key in
// base58, as DIDComm v1 has it, is that of a did:key. Any other stays as it is.
func PeerKey(shown string) string {
	if strings.HasPrefix(shown, "did:") {
		did, _, _ := strings.Cut(shown, "#")
		return did
	}
	return didKey(shown)
}

// SessionEndpoint returns the endpoint of the sessions that the peer has now:
// session:KEY,KEY?session=ID&thread=ID, or session:?session=ID.
func (p Peer) SessionEndpoint() (Endpoint, error) {
	query := url.Values{}
	for name, value := range map[string]string{"session": p.Session, "thread": p.Thread} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(p.Keys) == 0 && p.Session == "" {
		return Endpoint{}, errors.New("peer has neither keys nor a session")
	}
	return p.endpoint(SchemeSession, query)
}

// PickupEndpoint returns the endpoint at which messages wait for the peer:
// pickup:KEY,KEY.
func (p Peer) PickupEndpoint() (Endpoint, error) {
	if len(p.Keys) == 0 {
		return Endpoint{}, errors.New("peer has no keys")
	}
	return p.endpoint(SchemePickup, nil)
}

// endpoint writes the keys in one order, so that the same keys are the same
// destination.
func (p Peer) endpoint(scheme string, query url.Values) (Endpoint, error) {
	keys := slices.Clone(PeerKeys(p.Keys))
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if err := checkKeys(keys); err != nil {
		return Endpoint{}, err
	}
	for i, key := range keys {
		keys[i] = escapeKey(key)
	}
	if len(keys) == 0 { // the session is the destination
		keys = []string{"~" + escapeKey(p.Session)}
		query.Del("session")
	}
	text := scheme + ":" + strings.Join(keys, ",")
	if len(query) > 0 {
		text += "?" + query.Encode()
	}
	return ParseEndpoint(text)
}

func checkKeys(keys []string) error {
	if len(keys) > maxPeerKeys {
		return fmt.Errorf("peer has %d keys: at most %d are allowed", len(keys), maxPeerKeys)
	}
	if slices.Contains(keys, "") {
		return errors.New("peer has an empty key")
	}
	return nil
}

// keyEscapes are where a key differs from what url.QueryEscape makes of it: a plus
// sign means a space in a query alone, a tilde marks a session, and a colon means
// nothing here.
var keyEscapes = strings.NewReplacer("+", "%20", "~", "%7E", "%3A", ":")

// escapeKey leaves only what means nothing in an endpoint.
func escapeKey(key string) string { return keyEscapes.Replace(url.QueryEscape(key)) }

// ParsePeer reads an endpoint with one of the two schemes.
func ParsePeer(e Endpoint) (Peer, error) {
	u := e.URL()
	if u.Scheme != SchemeSession && u.Scheme != SchemePickup {
		return Peer{}, fmt.Errorf("scheme %q: want %s or %s", u.Scheme, SchemeSession, SchemePickup)
	}
	if u.Opaque == "" {
		return Peer{}, fmt.Errorf("%s endpoint has no key: write it as %s:KEY, with keys percent-encoded", u.Scheme, u.Scheme)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Peer{}, fmt.Errorf("%s endpoint has a query that cannot be read", u.Scheme)
	}
	peer := Peer{Session: query.Get("session"), Thread: query.Get("thread")}
	if id, only := strings.CutPrefix(u.Opaque, "~"); only && u.Scheme == SchemeSession {
		peer.Session, err = url.PathUnescape(id)
		return peer, err
	}
	for text := range strings.SplitSeq(u.Opaque, ",") {
		key, err := url.PathUnescape(text)
		if err != nil {
			return Peer{}, fmt.Errorf("%s endpoint has a key that is not percent-encoded", u.Scheme)
		}
		peer.Keys = append(peer.Keys, key)
	}
	peer.Keys = PeerKeys(peer.Keys)
	return peer, checkKeys(peer.Keys)
}

package transport

import (
	"reflect"
	"strings"
	"testing"
)

func TestPeerEndpoints(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		peer            Peer
		session, pickup string // empty: an error
		destination     string
	}{
		"one key": {
			peer: Peer{Keys: []string{"key#1"}}, session: "session:key%231", pickup: "pickup:key%231", destination: "session:key%231",
		},
		"keys of one DID": {
			peer: Peer{Keys: []string{"did:key:z6Mk#z6Mk", "did:key:z6Mk", "did:key:z6Mk#z6LS"}}, session: "session:did:key:z6Mk",
			pickup: "pickup:did:key:z6Mk", destination: "session:did:key:z6Mk",
		},
		"keys in one order, each once": {
			peer: Peer{Keys: []string{"b", "a", "b"}}, session: "session:a,b", pickup: "pickup:a,b", destination: "session:a,b",
		},
		"session and thread are no part of the destination": {
			peer: Peer{Keys: []string{"a@b, c"}, Session: "s 1", Thread: "t&1"}, session: "session:a%40b%2C%20c?session=s+1&thread=t%261",
			pickup: "pickup:a%40b%2C%20c", destination: "session:a%40b%2C%20c",
		},
		"a session alone": {
			peer: Peer{Session: "s~1", Thread: "t"}, session: "session:~s%7E1?thread=t", destination: "session:~s%7E1",
		},
		"nobody":        {},
		"an empty key":  {peer: Peer{Keys: []string{"a", ""}}},
		"too many keys": {peer: Peer{Keys: strings.Split("abcdefghijklmnopq", "")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			session, err := test.peer.SessionEndpoint()
			if whole := session.Whole().Reveal(); whole != test.session || (err == nil) != (test.session != "") {
				t.Errorf("SessionEndpoint is %q, %v, want %q", whole, err, test.session)
			}
			if session.Destination() != test.destination {
				t.Errorf("its destination is %q, want %q", session.Destination(), test.destination)
			}
			pickup, err := test.peer.PickupEndpoint()
			if whole := pickup.Whole().Reveal(); whole != test.pickup || (err == nil) != (test.pickup != "") {
				t.Errorf("PickupEndpoint is %q, %v, want %q", whole, err, test.pickup)
			}
		})
	}
}

func TestParsePeer(t *testing.T) {
	t.Parallel()
	for _, peer := range []Peer{
		{Keys: []string{"~a"}},
		{Keys: []string{"did:key:z6Mk", "key#1"}},
		{Keys: []string{"a@b, c", "é?x=1"}, Session: "s 1", Thread: "t&1"},
		{Session: "s~1,2", Thread: "t"},
	} {
		e, err := peer.SessionEndpoint()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParsePeer(e); err != nil || !reflect.DeepEqual(got, peer) {
			t.Errorf("ParsePeer(%v) is %+v, %v, want %+v", e, got, err, peer)
		}
	}
	for _, text := range []string{"https://example.com/", "session:", "pickup:", "pickup:a,,b", "pickup:a,", "pickup://a/b", "session:?session=a"} {
		e, err := ParseEndpoint(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if peer, err := ParsePeer(e); err == nil {
			t.Errorf("ParsePeer(%s) is %+v, want an error", text, peer)
		}
	}
}

package transport

import (
	"reflect"
	"slices"
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
		"two spellings of a key": {
			peer:    Peer{Keys: []string{"8HH5gYEeNc3z7PYXmd54d4x6qAfCNrqQqEB3nS7Zfu7K", "did:key:z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th"}},
			session: "session:did:key:z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th", pickup: "pickup:did:key:z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th",
			destination: "session:did:key:z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th",
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

func TestPeerKey(t *testing.T) {
	t.Parallel()
	const verkey, did = "8HH5gYEeNc3z7PYXmd54d4x6qAfCNrqQqEB3nS7Zfu7K", "did:key:z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th"
	for _, test := range []struct{ name, shown, want string }{
		{"verkey", verkey, did},
		{"did:key", did, did},
		{"did:key with its fragment", did + "#z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th", did},
		{"did:key with a key that was derived from it", did + "#z6LSbkodSr6SU2trs8VUgnrnWtSm7BAPG245ggrBmSrxbv1R", did},
		{"verkey of zeros", strings.Repeat("1", 32), "did:key:z6MkeTG3bFFSLYVU7VqhgZxqr6YzpaGrQtFMh1uvqGy1vDnP"},
		{"verkey that begins with zeros", strings.Repeat("1", 31) + "2", "did:key:z6MkeTG3bFFSLYVU7VqhgZxqr6YzpaGrQtFMh1uvqGy1vDnQ"},
		{"X25519", "did:key:z6LSbkodSr6SU2trs8VUgnrnWtSm7BAPG245ggrBmSrxbv1R", "did:key:z6LSbkodSr6SU2trs8VUgnrnWtSm7BAPG245ggrBmSrxbv1R"},
		{"secp256k1", "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme", "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"},
		{"P-256", "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169", "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"},
		{"did:key that is none", "did:key:z6Mk0OIl", "did:key:z6Mk0OIl"},
		{"other DID", "did:example:a#key-1", "did:example:a"},
		{"multibase without a DID", "z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th", "z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th"},
		{"31 bytes", strings.Repeat("1", 31), strings.Repeat("1", 31)},
		{"33 bytes", strings.Repeat("1", 33), strings.Repeat("1", 33)},
		{"more than 32 bytes hold", strings.Repeat("z", 44), strings.Repeat("z", 44)},
		{"verkey cut short", verkey[2:], verkey[2:]},
		{"verkey with a fragment", verkey + "#1", verkey + "#1"},
		{"a letter that base58 has not", "0" + verkey[1:], "0" + verkey[1:]},
		{"a sign", "-" + verkey[1:], "-" + verkey[1:]},
		{"another kind of name", "token:a-name-of-forty-four-characters-or-so-it-is", "token:a-name-of-forty-four-characters-or-so-it-is"},
		{"nothing", "", ""},
	} {
		if got := PeerKey(test.shown); got != test.want {
			t.Errorf("%s: %q is known as %q, want %q", test.name, test.shown, got, test.want)
		}
		if again := PeerKey(test.want); again != test.want {
			t.Errorf("%s: %q is known as %q", test.name, test.want, again)
		}
	}
}

func TestPeerKeys(t *testing.T) {
	t.Parallel()
	const verkey, did = "8HH5gYEeNc3z7PYXmd54d4x6qAfCNrqQqEB3nS7Zfu7K", "did:key:z6MkmjY8GnV5i9YTDtPETC2uUAW6ejw3nk5mXF5yci5ab7th"
	shown := []string{"a", verkey, did + "#1", "b"}
	if got, want := PeerKeys(shown), []string{"a", did, did, "b"}; !slices.Equal(got, want) {
		t.Errorf("they are known as %q, want %q", got, want)
	}
	if shown[1] != verkey || shown[2] != did+"#1" {
		t.Errorf("what was given is changed: %q", shown)
	}
}

func FuzzPeerKey(f *testing.F) {
	for _, seed := range []string{"8HH5gYEeNc3z7PYXmd54d4x6qAfCNrqQqEB3nS7Zfu7K", strings.Repeat("1", 32), strings.Repeat("z", 44), "did:key:z#a#b", "did:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, shown string) {
		known := PeerKey(shown)
		if again := PeerKey(known); again != known {
			t.Errorf("%q is known as %q, and that as %q", shown, known, again)
		}
		if known != shown && !strings.HasPrefix(known, "did:") {
			t.Errorf("%q is known as %q", shown, known)
		}
	})
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

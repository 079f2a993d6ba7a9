package didcomm_test

import (
	"context"
	"fmt"
	"log"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/didcomm"
)

// newTenant is a profile with one key, and its DID.
func newTenant(id string) (*profile.Profile, string, error) {
	keys := secmod.NewMemory(secmod.MemoryOptions{})
	if err := keys.Open(context.Background()); err != nil {
		return nil, "", err
	}
	no, err := keys.CreateKey(context.Background(), profile.Ed25519)
	if err != nil {
		return nil, "", err
	}
	key, err := keys.Key(no)
	if err != nil {
		return nil, "", err
	}
	p, err := profile.New(id, profile.Options{Keys: keys, Settings: map[string]string{didcomm.SettingSign: "true"}})
	return p, secmod.Names(key).DID, err
}

// Alice signs a message and encrypts it for Bob.
func Example() {
	alice, from, err := newTenant("alice")
	if err != nil {
		log.Fatal(err)
	}
	bob, to, err := newTenant("bob")
	if err != nil {
		log.Fatal(err)
	}
	f := didcomm.NewV2(didcomm.Options{})
	message := `{"id":"1","type":"https://didcomm.org/basicmessage/2.0/message","from":"` + from + `","body":{"content":"hello"}}`
	frame, err := f.Encode(context.Background(), alice, wireformat.Message{Payload: []byte(message)}, wireformat.Target{Recipients: []string{to}, Sender: from})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(frame.ContentType)

	m, receipt, err := f.Parse(context.Background(), bob, frame)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(m.Payload) == message, receipt.Signed, receipt.Sender != "")
	// Output:
	// application/didcomm-encrypted+json
	// true true true
}

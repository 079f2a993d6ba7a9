package secmod

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/internal/vectors"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

func parsed(t *testing.T, of profile.KeyType, text string) Key {
	t.Helper()
	k, err := ParseKey(of, "", transport.NewSecret(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestEthersVectors: 130 digests of ethers.
func TestEthersVectors(t *testing.T) {
	t.Parallel()
	var all struct {
		Vectors []struct {
			Name, Digest string
			PrimaryType  string
			Types        map[string][]TypedField
			Domain, Data json.RawMessage
		}
	}
	vectors.Load(t, "eip712/ethers-typed-data.json", &all)
	if len(all.Vectors) == 0 {
		t.Fatal("there are none")
	}
	for _, v := range all.Vectors {
		text, err := json.Marshal(map[string]any{"types": v.Types, "primaryType": v.PrimaryType, "domain": v.Domain, "message": v.Data})
		if err != nil {
			t.Fatal(err)
		}
		checkDigest(t, v.Name, text, v.Digest)
	}
}

func checkDigest(t *testing.T, name string, text []byte, want string) *TypedData {
	t.Helper()
	data, err := ParseTypedData(text)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	digest, err := data.Digest()
	if got := hex.EncodeToString(digest[:]); err != nil || got != strings.TrimPrefix(want, "0x") {
		t.Errorf("%s: digest is %s, %v; want %s", name, got, err, want)
	}
	return data
}

// TestAutobahnVectors: signatures of autobahn, to the byte.
func TestAutobahnVectors(t *testing.T) {
	t.Parallel()
	var all struct {
		Keys      []string `json:"private_keys"`
		Addresses []string
		Vectors   []struct {
			TypedData         json.RawMessage `json:"typed_data"`
			Digest, Signature string
		}
	}
	vectors.Load(t, "eip712/autobahn.json", &all)
	for i, text := range all.Keys {
		if got := parsed(t, "ethereum", text).(EthereumKey).Address().String(); got != all.Addresses[i] { //nolint:forcetypeassert // of that type
			t.Errorf("address %d is %s, want %s", i, got, all.Addresses[i])
		}
	}
	for i, v := range all.Vectors {
		data := checkDigest(t, v.Digest, v.TypedData, v.Digest)
		var signed []byte
		for _, text := range all.Keys {
			k := parsed(t, profile.Ethereum, text).(EthereumKey) //nolint:forcetypeassert // of that type
			signature, err := k.SignTypedData(t.Context(), data)
			if err != nil {
				t.Fatal(err)
			}
			if hex.EncodeToString(signature) != v.Signature {
				continue
			}
			signed = signature
			if err := k.VerifyTypedData(t.Context(), data, signature, k.Address()); err != nil {
				t.Error(err)
			}
			if err := k.VerifyTypedData(t.Context(), data, signature, Address{}); !errors.Is(err, ErrSignature) {
				t.Errorf("another signer: %v, want ErrSignature", err)
			}
		}
		if signed == nil {
			t.Errorf("vector %d: no key signs as autobahn does", i)
		}
	}
}

// TestMailExample is the example of EIP-712 itself, signed with the hash of "cow".
func TestMailExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/mail.json")
	if err != nil {
		t.Fatal(err)
	}
	data := checkDigest(t, "mail", text, "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2")
	k := parsed(t, profile.Ethereum, hex.EncodeToString(keccak([]byte("cow")))).(EthereumKey) //nolint:forcetypeassert // of that type
	signature, err := k.SignTypedData(t.Context(), data)
	const want = "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c"
	if err != nil || hex.EncodeToString(signature) != want {
		t.Errorf("signature is %x, %v; want %s", signature, err, want)
	}
	if k.Address().String() != "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826" {
		t.Errorf("address is %s", k.Address())
	}
}

func TestTypedDataRefuses(t *testing.T) {
	t.Parallel()
	parse := func(types, message string) error {
		data, err := ParseTypedData([]byte(`{"types":{"T":[` + types + `]},"primaryType":"T","domain":{"name":"x"},"message":` + message + `}`))
		if err == nil {
			_, err = data.Digest()
		}
		return err
	}
	field := func(of string) string { return `{"name":"a","type":"` + of + `"}` }
	for _, test := range []struct{ types, message string }{
		{field("uint8"), `{"a":256}`},
		{field("uint8"), `{"a":-1}`},
		{field("int8"), `{"a":128}`},
		{field("int8"), `{"a":-129}`},
		{field("uint256"), `{"a":1.5}`},
		{field("uint256"), `{"a":"1e3"}`},
		{field("uint256"), `{"a":1e999}`},
		{field("uint256"), `{"a":"` + strings.Repeat("9", 100) + `"}`},
		{field("uint256"), `{"a":"--1"}`},
		{field("uint256"), `{}`},
		{field("uint7"), `{"a":1}`},
		{field("uint"), `{"a":1}`},
		{field("bytes33"), `{"a":"0x"}`},
		{field("bytes4"), `{"a":"0x010203"}`},
		{field("bytes"), `{"a":"010203"}`},
		{field("bool"), `{"a":1}`},
		{field("string"), `{"a":1}`},
		{field("address"), `{"a":"0x01"}`},
		{field("address"), `{"a":"0xcD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"}`}, // checksum
		{field("address[2]"), `{"a":[]}`},
		{field("uint8[]"), `{"a":{}}`},
		{field("U"), `{"a":{}}`},
		{field("T[]"), `{"a":[1]}`},
		{field("uint8") + "," + field("uint8"), `{"a":1}`},
		{`{"name":"a b","type":"uint8"}`, `{}`},
		{field("uint8"), `{"a":1,"b":2}`},
		{field("T"), strings.Repeat(`{"a":`, 100) + "null" + strings.Repeat("}", 100)},
		{field("uint8" + strings.Repeat("[]", 100)), `{"a":[]}`},
	} {
		if err := parse(test.types, test.message); !errors.Is(err, ErrTypedData) {
			t.Errorf("%s %s: %v, want ErrTypedData", test.types, test.message, err)
		}
	}
	if err := parse(field("T"), `{"a":{"a":null}}`); err != nil {
		t.Errorf("a recursive type: %v", err)
	}
	if err := parse(field("int8"), `{"a":-128}`); err != nil {
		t.Errorf("the least number: %v", err)
	}
	for _, text := range []string{"", "[]", `{}`, `{"types":{"bool":[]},"primaryType":"bool"}`, `{"types":{"T":[]},"primaryType":"T","domain":{"other":1}}`} {
		data, err := ParseTypedData([]byte(text))
		if err == nil {
			_, err = data.Digest()
		}
		if !errors.Is(err, ErrTypedData) {
			t.Errorf("%s: %v, want ErrTypedData", text, err)
		}
	}
}

// TestTypedDataIsReadOneWay: another reader could take each of these for other data
// than was signed.
func TestTypedDataIsReadOneWay(t *testing.T) {
	t.Parallel()
	const sound = `{"types":{"T":[{"name":"a","type":"uint8"}]},"primaryType":"T","domain":{"name":"x"},"message":{"a":1}}`
	digest := func(text string) error {
		data, err := ParseTypedData([]byte(text))
		if err == nil {
			_, err = data.Digest()
		}
		return err
	}
	if err := digest(sound); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a member twice":       {`{"a":1}`, `{"a":2,"a":1}`},
		"messages":             {`{"a":1}}`, `{"a":2},"message":{"a":1}}`},
		"another case":         {`"message"`, `"Message"`},
		"another case of type": {`"primaryType"`, `"PrimaryType"`},
		"name of a field":      {`"name":"a"`, `"Name":"a"`},
		"something behind it":  {`{"a":1}}`, `{"a":1}}{}`},
	} {
		if err := digest(strings.Replace(sound, change[0], change[1], 1)); !errors.Is(err, ErrTypedData) {
			t.Errorf("%s: %v, want ErrTypedData", name, err)
		}
	}
}

func FuzzTypedData(f *testing.F) {
	mail, err := os.ReadFile("testdata/mail.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(mail)
	f.Add([]byte(`{"types":{"T":[{"name":"a","type":"T[][2]"}]},"primaryType":"T","domain":{},"message":{"a":[[],[]]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		data, err := ParseTypedData(text)
		if err == nil {
			_, err = data.Digest()
		}
		if err != nil && !errors.Is(err, ErrTypedData) {
			t.Error(err)
		}
	})
}

// TestCryptosignVectors: autobahn's signatures of challenges, and its key forms.
func TestCryptosignVectors(t *testing.T) {
	t.Parallel()
	var all struct {
		Vectors []struct {
			ChannelID  string `json:"channel_id"`
			PrivateKey string `json:"private_key"`
			Challenge  string
			Signature  string
		}
		OpenSSH       string `json:"openssh_private_key"`
		OpenSSHPublic string `json:"openssh_private_pubkey_hex"`
	}
	vectors.Load(t, "wamp/cryptosign.json", &all)
	for _, v := range all.Vectors {
		k := parsed(t, "", v.PrivateKey).(CryptosignKey) //nolint:forcetypeassert // of that type
		extra := map[string]any{"challenge": v.Challenge}
		var binding *Binding
		if v.ChannelID != "" {
			id, err := hex.DecodeString(v.ChannelID)
			if err != nil {
				t.Fatal(err)
			}
			binding, extra["channel_binding"] = &Binding{"tls-unique", id}, "tls-unique"
		}
		challenge, err := ParseChallenge(extra)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.SignChallenge(t.Context(), challenge, binding)
		if err != nil || got != v.Signature {
			t.Errorf("signature is %s, %v; want %s", got, err, v.Signature)
		}
		if err := k.VerifyChallenge(t.Context(), challenge, v.Signature, binding); err != nil {
			t.Error(err)
		}
	}
	if k := parsed(t, "", all.OpenSSH); hex.EncodeToString(k.PublicKey()) != all.OpenSSHPublic {
		t.Errorf("the OpenSSH key is %x", k.PublicKey())
	}
}

// TestChannelBinding: a challenge that is bound to one connection is worth nothing
// on another.
func TestChannelBinding(t *testing.T) {
	t.Parallel()
	k := parsed(t, profile.Ed25519, strings.Repeat("01", 32)).(CryptosignKey) //nolint:forcetypeassert // of that type
	client, server := tlsBindings(t)
	other, _ := tlsBindings(t)
	bound := Challenge{bytes.Repeat([]byte{7}, 32), TLSExporter}
	signature, err := k.SignChallenge(t.Context(), bound, client)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.VerifyChallenge(t.Context(), bound, signature, server); err != nil {
		t.Errorf("the other end of the connection: %v", err)
	}
	if err := k.VerifyChallenge(t.Context(), bound, signature, other); !errors.Is(err, ErrSignature) {
		t.Errorf("another connection: %v, want ErrSignature", err)
	}
	for name, test := range map[string]struct {
		challenge Challenge
		binding   *Binding
	}{
		"asked for, not there": {bound, nil},
		"there, not asked for": {Challenge{Challenge: bound.Challenge}, client},
		"another type":         {Challenge{bound.Challenge, "tls-unique"}, client},
		"a short challenge":    {Challenge{Challenge: []byte{1}}, nil},
		"a short channel id":   {bound, &Binding{TLSExporter, []byte{1}}},
	} {
		if _, err := k.SignChallenge(t.Context(), test.challenge, test.binding); err == nil {
			t.Errorf("%s: it was signed", name)
		}
	}
	for _, text := range []string{"", "xx", signature[2:], "00" + signature[2:], signature[:len(signature)-2] + "00"} {
		if err := k.VerifyChallenge(t.Context(), bound, text, client); !errors.Is(err, ErrSignature) {
			t.Errorf("%q: %v, want ErrSignature", text, err)
		}
	}
	if _, err := ParseChallenge(map[string]any{"challenge": "00"}); err == nil {
		t.Error("a short challenge was read")
	}
}

// tlsBindings returns the bindings of the two ends of a new TLS connection.
func tlsBindings(t *testing.T) (client, server *Binding) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"peer"}}, &x509.Certificate{}, public, private)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	clientEnd := tls.Client(a, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	serverEnd := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}, MinVersion: tls.VersionTLS13})
	done := make(chan error, 1)
	go func() { done <- serverEnd.HandshakeContext(t.Context()) }()
	if err := errors.Join(clientEnd.HandshakeContext(t.Context()), <-done); err != nil {
		t.Fatal(err)
	}
	for _, end := range []struct {
		conn *tls.Conn
		into **Binding
	}{{clientEnd, &client}, {serverEnd, &server}} {
		state := end.conn.ConnectionState()
		if *end.into, err = BindTLS(&state); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(client.ID, server.ID) {
		t.Fatal("the ends have different channel ids")
	}
	_, _ = a.Close(), b.Close()
	return client, server
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	for _, of := range []profile.KeyType{profile.Ed25519, profile.P256, profile.P384, profile.P521, profile.X25519} {
		secret, err := generate(of)
		if err != nil {
			t.Fatal(err)
		}
		want, err := keyOfSecret(of, "", secret)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed(t, of, "0x"+hex.EncodeToString(secret)); got.ID() != want.ID() {
			t.Errorf("%s in hex is %s, want %s", of, got.ID(), want.ID())
		}
		if of == profile.X25519 {
			continue
		}
		var std any = ed25519.NewKeyFromSeed(secret[:min(32, len(secret))])
		if c, ok := curves[of]; ok {
			if std, err = ecdsa.ParseRawPrivateKey(c.elliptic, secret); err != nil {
				t.Fatal(err)
			}
		}
		der, err := x509.MarshalPKCS8PrivateKey(std)
		if err != nil {
			t.Fatal(err)
		}
		text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		if got := parsed(t, "", text); got.ID() != want.ID() {
			t.Errorf("%s in PEM is %s, want %s", of, got.ID(), want.ID())
		}
	}
	jwk := `{"kid":"did:example:bob#key-p256-1","kty":"EC","d":"PgwHnlXxt8pwR6OCTUwwWx-P51BiLkFZyqHzquKddXQ","crv":"P-256","x":"FQVaTOksf-XsCUrt4J1L2UGvtWaDwpboVlqbKBY2AIo","y":"6XFB9PYo7dyC5ViJSO9uXNYkxTJWn0d_mqJ__ZYhcNY"}`
	if k := parsed(t, "", jwk); k.ID() != "did:example:bob#key-p256-1" || k.Type() != profile.P256 {
		t.Errorf("the web key is %v", k)
	}
	file := "# a comment\npublic-key-ed25519: 00\nprivate-key-eth: 0x" + strings.Repeat("11", 32) + "\nprivate-key-ed25519: " + strings.Repeat("22", 32) + "\n"
	if k := parsed(t, "", file); k.Type() != profile.Ethereum {
		t.Errorf("the key file gives %v", k)
	}
	for name, text := range map[string]string{
		"nothing": "", "words": "canary words", "zero": strings.Repeat("00", 32), "short": "canary", "not a curve": `{"kty":"OKP","crv":"canary","d":"AA"}`,
		"public only": `{"kty":"OKP","crv":"X25519","x":"avH0O2Y4tqLAq8y9zpianr8ajii5m4F_mICrzNlatXs"}`, "d twice": `{"crv":"X25519","d":"AA","d":"AA"}`,
		"halves of two": strings.Replace(jwk, `"x":"F`, `"x":"G`, 1), "PEM": "-----BEGIN canary-----\n-----END canary-----", "PEM cut": "-----BEGIN PRIVATE KEY-----\ncanary",
	} {
		of := profile.Ethereum
		if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "-") {
			of = ""
		}
		if _, err := ParseKey(of, "", transport.NewSecret(text)); !errors.Is(err, ErrSecret) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want ErrSecret without the text", name, err)
		}
	}
	if _, err := ParseKey(profile.Ed25519, "", transport.NewSecret(jwk)); !errors.Is(err, ErrSecret) {
		t.Errorf("another type: %v, want ErrSecret", err)
	}
	if _, err := ParseKey("rsa", "", transport.NewSecret("00")); !errors.Is(err, profile.ErrKeyUse) {
		t.Errorf("a type that is not known: %v, want ErrKeyUse", err)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(strings.Repeat("01", 32))
	f.Add(`{"kty":"OKP","crv":"X25519","d":"r-jK2cO3taR8LQnJB1_ikLBTAnOtShJOsHXRUWT-aZA","x":"avH0O2Y4tqLAq8y9zpianr8ajii5m4F_mICrzNlatXs"}`)
	f.Add("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n-----END PRIVATE KEY-----")
	f.Add("private-key-ed25519: 00")
	f.Fuzz(func(t *testing.T, text string) {
		for _, of := range []profile.KeyType{"", profile.P256} {
			if _, err := ParseKey(of, "", transport.NewSecret(text)); err != nil && !errors.Is(err, ErrSecret) && !strings.Contains(err.Error(), "id of a key") {
				t.Error(err)
			}
		}
	})
}

// signer is a key of a hardware module, as far as its user sees.
type signer struct{ crypto.Signer }

func TestFromSigner(t *testing.T) {
	t.Parallel()
	_, ed, err1 := ed25519.GenerateKey(nil)
	p384, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p224, err3 := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	m, file := opened(t, newMemory(t)), opened(t, newFileModule(t))
	for _, s := range []crypto.Signer{ed, p384} {
		k, err := FromSigner(signer{s}, "")
		if err != nil {
			t.Fatal(err)
		}
		no, err := m.AddKey(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		hosted, err := m.Key(no)
		if err != nil {
			t.Fatal(err)
		}
		checkSigning(t, hosted)
		if _, err := hosted.Exchanger(); !errors.Is(err, profile.ErrKeyUse) {
			t.Errorf("a signer agrees: %v, want ErrKeyUse", err)
		}
		if _, err := file.AddKey(t.Context(), k); !errors.Is(err, profile.ErrKeyUse) || file.Len() != 0 {
			t.Errorf("a file takes a signer: %v, want ErrKeyUse", err)
		}
	}
	for _, s := range []crypto.Signer{nil, signer{p224}} {
		if _, err := FromSigner(s, ""); err == nil {
			t.Errorf("%T was taken", s)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	const address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed" // of EIP-55
	for _, text := range []string{address, strings.ToLower(address), "0x" + strings.ToUpper(address[2:])} {
		if a, err := ParseAddress(text); err != nil || a.String() != address {
			t.Errorf("%s is %s, %v", text, a, err)
		}
	}
	for _, text := range []string{"", "0x", address[2:], address + "0", "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xzz"} {
		if _, err := ParseAddress(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

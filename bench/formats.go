package main

import (
	"context"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/nacl/box"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/didcomm"
	"github.com/outrider-go/outrider/wireformat/webhook"
)

// formatRound is how often a contestant of the formats benchmark runs in a slice.
const formatRound = 200

// duel is what a wire format does, and the bare primitives that it cannot do
// without.
type duel struct {
	name             string
	format, barehand func(ctx context.Context) error
}

// benchFormats measures what a wire format costs beyond its cryptography.
func benchFormats(ctx context.Context, s settings, _ *sinkProcess) (figures []figure, err error) {
	duels, err := newDuels(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range duels {
		var ours, theirs []float64
		for range s.rounds {
			for _, side := range []struct {
				run  func(context.Context) error
				into *[]float64
			}{{d.format, &ours}, {d.barehand, &theirs}} {
				began := time.Now()
				for range formatRound {
					if err := side.run(ctx); err != nil {
						return nil, fmt.Errorf("%s: %w", d.name, err)
					}
				}
				*side.into = append(*side.into, float64(time.Since(began))/formatRound)
			}
		}
		figures = append(figures, ratio(d.name+", time, of its primitives", paired(ours, theirs)),
			plain(d.name, median(ours)/float64(time.Microsecond), "us"))
	}
	return figures, nil
}

// newDuels makes a tenant with two keys, that sends 1 KiB to itself.
func newDuels(ctx context.Context) ([]duel, error) {
	module := secmod.NewMemory(secmod.MemoryOptions{})
	if err := module.Open(ctx); err != nil {
		return nil, err
	}
	no, err := module.CreateKey(ctx, profile.Ed25519)
	if err != nil {
		return nil, err
	}
	key, err := module.Key(no)
	if err != nil {
		return nil, err
	}
	p, err := profile.New("bench", profile.Options{Keys: module, Secrets: map[string]transport.Secret{webhook.DefaultSecretName: webhook.NewSecret()}})
	if err != nil {
		return nil, err
	}
	did := secmod.Names(key).DID
	to := wireformat.Target{Recipients: []string{did}, Sender: did}
	filling := strings.Repeat("a", 1000)
	primitives, err := newPrimitives([]byte(filling))
	if err != nil {
		return nil, err
	}
	one, err := newFormatDuels(ctx, "DIDComm v1", didcomm.NewV1(), p, `{"@type":"t","content":"`+filling+`"}`, to)
	if err != nil {
		return nil, err
	}
	two, err := newFormatDuels(ctx, "DIDComm v2", didcomm.NewV2(didcomm.Options{}), p, `{"id":"1","type":"t","from":"`+did+`","content":"`+filling+`"}`, to)
	if err != nil {
		return nil, err
	}
	hook, err := newStampDuel(ctx, p, filling)
	if err != nil {
		return nil, err
	}
	one[0].barehand, one[1].barehand, hook.barehand = primitives.sealBoxes, primitives.openBoxes, primitives.mac
	two[0].barehand, two[1].barehand = primitives.agreeAnew, primitives.agreeTwice
	return append(append(one, two...), hook), nil
}

// newFormatDuels are packing and unpacking, without their other sides.
func newFormatDuels(ctx context.Context, name string, f wireformat.Format, p *profile.Profile, message string, to wireformat.Target) ([]duel, error) {
	m := wireformat.Message{Payload: []byte(message)}
	frame, err := f.Encode(ctx, p, m, to)
	if err != nil {
		return nil, err
	}
	return []duel{
		{name: name + ", pack", format: func(ctx context.Context) error {
			_, err := f.Encode(ctx, p, m, to)
			return err
		}},
		{name: name + ", unpack", format: func(ctx context.Context) error {
			_, _, err := f.Parse(ctx, p, frame)
			return err
		}},
	}, nil
}

func newStampDuel(ctx context.Context, p *profile.Profile, filling string) (duel, error) {
	f, err := webhook.New(webhook.Options{Inner: &wireformat.Raw{}})
	if err != nil {
		return duel{}, err
	}
	m := wireformat.Message{ID: transport.NewID(time.Now()), Payload: []byte(filling)}
	frame, err := f.Encode(ctx, p, m, wireformat.Target{})
	if err != nil {
		return duel{}, err
	}
	return duel{name: "Standard Webhooks, stamp", format: func(ctx context.Context) error {
		attempt := frame
		attempt.Header = map[string]string{}
		return f.Stamp(ctx, p, &attempt, wireformat.Attempt{ID: m.ID, Number: 1, At: time.Now()})
	}}, nil
}

// primitives are what people who write it by hand call.
type primitives struct {
	public, private   *[32]byte
	cek, text         []byte
	nonce             [24]byte
	message, sealed   []byte
	sealedKey, sealer []byte
	static            *ecdh.PrivateKey
}

func newPrimitives(message []byte) (*primitives, error) {
	p := &primitives{cek: make([]byte, 32), text: make([]byte, 44), message: message}
	var err error
	if p.public, p.private, err = box.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	if p.sealer, err = box.SealAnonymous(nil, p.text, p.public, rand.Reader); err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.New(p.cek)
	if err != nil {
		return nil, err
	}
	p.sealedKey, p.sealed = box.Seal(nil, p.cek, &p.nonce, p.public, p.private), aead.Seal(nil, p.nonce[:12], message, nil)
	p.static, err = ecdh.X25519().GenerateKey(rand.Reader)
	return p, err
}

func (p *primitives) sealBoxes(context.Context) error {
	box.Seal(nil, p.cek, &p.nonce, p.public, p.private)
	if _, err := box.SealAnonymous(nil, p.text, p.public, rand.Reader); err != nil {
		return err
	}
	aead, err := chacha20poly1305.New(p.cek)
	if err != nil {
		return err
	}
	aead.Seal(nil, p.nonce[:12], p.message, nil)
	return nil
}

func (p *primitives) openBoxes(context.Context) error {
	_, ok1 := box.Open(nil, p.sealedKey, &p.nonce, p.public, p.private)
	_, ok2 := box.OpenAnonymous(nil, p.sealer, p.public, p.private)
	aead, err := chacha20poly1305.New(p.cek)
	if err != nil {
		return err
	}
	if _, err := aead.Open(nil, p.nonce[:12], p.sealed, nil); err != nil || !ok1 || !ok2 {
		return fmt.Errorf("open: %v, %v, %w", ok1, ok2, err)
	}
	return nil
}

// agreeAnew is a new key pair and two agreements.
func (p *primitives) agreeAnew(ctx context.Context) error {
	if _, err := ecdh.X25519().GenerateKey(rand.Reader); err != nil {
		return err
	}
	return p.agreeTwice(ctx)
}

func (p *primitives) agreeTwice(context.Context) error {
	for range 2 {
		if _, err := p.static.ECDH(p.static.PublicKey()); err != nil {
			return err
		}
	}
	return nil
}

func (p *primitives) mac(context.Context) error {
	mac := hmac.New(sha256.New, p.cek)
	mac.Write(p.message)
	mac.Sum(nil)
	return nil
}

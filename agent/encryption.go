package agent

import (
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/queue/sealqueue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

// EncryptionConfig is how messages are encrypted in the store.
type EncryptionConfig struct {
	// Key is the text of the master key, as keyring.ParseMaster takes it. It is
	// given by reference: encryption.key is env:NAME or file:PATH, and
	// encryption.key_file is the path of a file, which nobody but its owner may
	// read. The keyring is kept in Config.Dir. Default: none, nothing is encrypted.
	Key transport.Secret
	// SealedOnly refuses to deliver messages that were kept in the clear
	// (encryption.sealed_only). Default: they are delivered.
	SealedOnly bool
}

// validate checks the key, and that there is something to encrypt.
func (c EncryptionConfig) validate(memory bool) (faults []error) {
	if c.Key.IsZero() {
		if c.SealedOnly {
			faults = append(faults, &KeyError{"encryption.sealed_only", errors.New("means nothing without encryption.key or encryption.key_file")})
		}
		return faults
	}
	if _, err := keyring.ParseMaster(c.Key); err != nil {
		faults = append(faults, &KeyError{"encryption.key", err})
	}
	if memory {
		faults = append(faults, &KeyError{"encryption.key", errors.New("means nothing for a queue in memory: leave out one of them")})
	}
	return faults
}

// OpenKeyring reads the keyring of an agent with this config. It is nil where
// nothing is encrypted; a keyring is then an error, since what is sealed cannot be
// delivered.
func (c Config) OpenKeyring() (*keyring.Keyring, error) {
	if c.Dir == "" && !c.Memory {
		var err error
		if c.Dir, err = DefaultDir(); err != nil {
			return nil, err
		}
	}
	if c.Encryption.Key.IsZero() {
		if c.Memory {
			return nil, nil
		}
		if err := keyring.CheckUnused(c.Dir); err != nil {
			return nil, &KeyError{"encryption.key", fmt.Errorf("%w: set encryption.key or encryption.key_file", err)}
		}
		return nil, nil
	}
	master, err := keyring.ParseMaster(c.Encryption.Key)
	if err != nil {
		return nil, &KeyError{"encryption.key", err}
	}
	keys, err := keyring.Open(c.Dir, master)
	if err != nil {
		return nil, &KeyError{"encryption.key", err}
	}
	return keys, nil
}

// seal puts a seal around the store, where there is a keyring.
func (a *Agent) seal(keys *keyring.Keyring) error {
	if keys == nil {
		return nil
	}
	sealed, err := sealqueue.New(a.store, keys, sealqueue.Options{
		SealedOnly: a.config.Encryption.SealedOnly,
		OnUnreadable: func(u sealqueue.Unreadable) {
			a.log.Error("cannot open a message", zap.Stringer("message_id", u.ID), zap.String("profile", u.Lane.Profile),
				zap.String("endpoint", u.Endpoint), zap.Bool("dead", u.Ended), zap.Error(u.Err))
		},
	})
	if err != nil {
		return err
	}
	a.store = sealed
	a.log.Info("messages are encrypted in the store", zap.String("master_key", keys.MasterID()))
	return nil
}

// readMaster reads a master key by reference. It is not taken as text: what stands
// in a configuration gets into backups and repositories.
func (r secretReader) readMaster(value any) (transport.Secret, error) {
	text, err := readText(value)
	if err != nil {
		return transport.Secret{}, err
	}
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		return keyring.ReadMaster(path)
	}
	if !strings.HasPrefix(text, "env:") {
		return transport.Secret{}, errors.New("want env:NAME or file:PATH: a master key does not belong in a configuration")
	}
	return r.read(text)
}

// readMasterFile reads a master key from the file whose path is given.
func (secretReader) readMasterFile(value any) (transport.Secret, error) {
	path, err := readText(value)
	if err != nil {
		return transport.Secret{}, err
	}
	return keyring.ReadMaster(path)
}

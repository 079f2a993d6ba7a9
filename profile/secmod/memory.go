package secmod

import (
	"context"
	"errors"

	"github.com/outrider-go/outrider/transport"
)

// ErrPassphrase is returned for a passphrase that is not the module's.
var ErrPassphrase = errors.New("wrong passphrase of the security module")

// MemoryOptions describe a [Memory].
type MemoryOptions struct {
	// Passphrase unlocks the module. Default: none, and it cannot be locked.
	Passphrase transport.Secret
}

// Memory is a module whose keys are gone with the process.
type Memory struct {
	vault

	passphrase transport.Secret
}

// NewMemory returns an empty module.
func NewMemory(options MemoryOptions) *Memory {
	m := &Memory{passphrase: options.Passphrase}
	m.module, m.state = m, newState()
	return m
}

// Open implements [Module].
func (m *Memory) Open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.open {
		m.open, m.locked = true, m.CanLock()
	}
	return nil
}

// Close implements [Module].
func (m *Memory) Close(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open, m.locked = false, m.CanLock()
	return nil
}

// CanLock implements [Module].
func (m *Memory) CanLock() bool { return !m.passphrase.IsZero() }

// Lock implements [Module].
func (m *Memory) Lock(context.Context) error {
	if !m.CanLock() {
		return ErrNoLock
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.open {
		return ErrClosed
	}
	m.locked = true
	return nil
}

// Unlock implements [Module].
func (m *Memory) Unlock(_ context.Context, passphrase transport.Secret) error {
	switch {
	case !m.CanLock():
		return ErrNoLock
	case !m.passphrase.Equal(passphrase):
		return ErrPassphrase
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.open {
		return ErrClosed
	}
	m.locked = false
	return nil
}

package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
)

// keyModule is the security module of a profile.
type keyModule struct {
	module *secmod.File
	file   profile.KeyFile
	id     string // of the profile
}

// newKeyModule makes the module of a profile that has a file with keys, and puts
// it into the options; nil where there is none.
func newKeyModule(id string, options *profile.Options) (*keyModule, error) {
	file := options.KeyFile
	if file.Path == "" {
		return nil, nil
	}
	module, err := secmod.NewFile(file.Path, secmod.FileOptions{})
	if err != nil {
		return nil, &KeyError{"profiles." + id + ".keys.file", err}
	}
	options.Keys = module
	return &keyModule{module, file, id}, nil
}

// open opens and unlocks the module.
func (k *keyModule) open(ctx context.Context) error {
	err := k.module.Open(ctx)
	if err == nil {
		err = k.module.Unlock(ctx, k.file.Passphrase)
	}
	if err != nil {
		return &KeyError{"profiles." + k.id + ".keys", fmt.Errorf("%w: outrider keys makes and changes such files", err)}
	}
	return nil
}

// openKeys opens the modules of all profiles, or none.
func (a *Agent) openKeys(ctx context.Context) error {
	for _, k := range a.keys {
		if err := k.open(ctx); err != nil {
			return errors.Join(err, a.closeKeys(ctx))
		}
	}
	return nil
}

func (a *Agent) closeKeys(ctx context.Context) error {
	var faults []error
	for _, k := range a.keys {
		faults = append(faults, k.module.Close(ctx))
	}
	return errors.Join(faults...)
}

// OpenProfile makes one profile of a configuration, with its keys, for who wants
// to use wire formats without an agent. The function that it returns closes them.
func (c Config) OpenProfile(ctx context.Context, id string) (*profile.Profile, func(context.Context) error, error) {
	options, ok := c.profiles()[id]
	if !ok {
		return nil, nil, fmt.Errorf("%w %q", profile.ErrUnknown, id)
	}
	keys, err := newKeyModule(id, &options)
	if err != nil {
		return nil, nil, err
	}
	tenant, err := profile.New(id, options)
	if err != nil {
		return nil, nil, err
	}
	if keys == nil {
		return tenant, func(context.Context) error { return nil }, nil
	}
	if err := keys.open(ctx); err != nil {
		return nil, nil, errors.Join(err, keys.module.Close(ctx))
	}
	return tenant, keys.module.Close, nil
}

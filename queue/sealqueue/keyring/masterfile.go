package keyring

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/outrider-go/outrider/transport"
)

// maxMasterFile is the longest file that can be a master key, in bytes.
const maxMasterFile = 4 << 10

// ReadMaster reads the text of a master key from a file. The file must be closed
// to all but its owner: [ErrExposed].
func ReadMaster(path string) (transport.Secret, error) {
	text, _, err := readPrivate(path, maxMasterFile)
	if err != nil {
		return transport.Secret{}, fmt.Errorf("read master key: %w", err)
	}
	secret := transport.NewSecret(string(text))
	if _, err := ParseMaster(secret); err != nil {
		return transport.Secret{}, fmt.Errorf("read master key %s: %w", path, err)
	}
	return secret, nil
}

// WriteMaster writes the text of a master key to a new file that its owner alone
// can read. It never overwrites one: the error is then fs.ErrExist.
func WriteMaster(path string, text transport.Secret) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, privateMode) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("write master key: %w", err)
	}
	if err := fill(f, []byte(text.Reveal()+"\n")); err != nil {
		return fmt.Errorf("write master key: %w", errors.Join(err, os.Remove(path)))
	}
	return syncDir(filepath.Dir(path))
}

// readPrivate reads a file of limited size that is closed to others.
func readPrivate(path string, limit int64) (content []byte, info os.FileInfo, err error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file, or its directory
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	if err := checkMode(path, info); err != nil {
		return nil, nil, err
	}
	content, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return content, info, err
}

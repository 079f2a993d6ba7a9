package keyring

import (
	"fmt"

	"github.com/outrider-go/outrider/internal/privatefile"
	"github.com/outrider-go/outrider/transport"
)

// maxMasterFile is the longest file that can be a master key, in bytes.
const maxMasterFile = 4 << 10

// ReadMaster reads the text of a master key from a file. The file must be closed
// to all but its owner: [ErrExposed].
func ReadMaster(path string) (transport.Secret, error) {
	text, _, err := privatefile.Read(path, maxMasterFile)
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
	if err := privatefile.Create(path, []byte(text.Reveal()+"\n")); err != nil {
		return fmt.Errorf("write master key: %w", err)
	}
	return nil
}

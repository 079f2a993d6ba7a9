package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/outrider-go/outrider/transport"
)

// maxSecretFile is the longest secret that is read from a file, in bytes.
const maxSecretFile = 64 << 10

// secretReader reads secrets of a configuration: the text itself, "env:NAME" for
// a variable, or "file:PATH" for a file. Its errors never hold a secret.
type secretReader struct{ env map[string]string }

func (r secretReader) read(value any) (transport.Secret, error) {
	text, err := readText(value)
	if err != nil {
		return transport.Secret{}, err
	}
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		if r.env[name] == "" {
			return transport.Secret{}, fmt.Errorf("variable %s is not set", name)
		}
		return transport.NewSecret(r.env[name]), nil
	}
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		return r.readFile(path)
	}
	if text == "" {
		return transport.Secret{}, errors.New("is empty: give the secret, env:NAME or file:PATH")
	}
	return transport.NewSecret(text), nil
}

// readEndpoint reads a URI, which may hold secrets, as read does.
func (r secretReader) readEndpoint(value any) (transport.Endpoint, error) {
	text, err := r.read(value)
	if err != nil {
		return transport.Endpoint{}, err
	}
	return transport.ParseEndpoint(text.Reveal())
}

// readFile reads a secret from the file whose path is given. A line break at its
// end is not part of the secret.
func (r secretReader) readFile(value any) (secret transport.Secret, err error) {
	path, err := readText(value)
	if err != nil {
		return transport.Secret{}, err
	}
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return transport.Secret{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	content, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return transport.Secret{}, err
	}
	text := strings.TrimRight(string(content), "\r\n")
	switch {
	case text == "":
		return transport.Secret{}, fmt.Errorf("file %s is empty", path)
	case len(content) > maxSecretFile:
		return transport.Secret{}, fmt.Errorf("file %s is longer than %d bytes", path, maxSecretFile)
	}
	return transport.NewSecret(text), nil
}

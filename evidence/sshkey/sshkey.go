// Package sshkey finds the SSH key that a person signs with: in a private key file, or in the running SSH agent when
// the public key file is named. It never writes a key and never keeps a passphrase.
// Start at Load.
package sshkey

import (
	"errors"

	"golang.org/x/crypto/ssh"
)

// Load returns the signer of a key file. For a file with a passphrase, ask is called with a prompt; when ask is nil, the
// error is ErrPassphrase. When path is a public key (.pub), the signer is taken from the agent at SSH_AUTH_SOCK, or
// from the private key file beside it. The caller closes the signer.
func Load(path string, ask func(prompt string) ([]byte, error)) (*Signer, error) {
	return nil, errors.New("not built yet")
}

// ErrPassphrase says that the key needs a passphrase and nobody could be asked.
var ErrPassphrase = errors.New("the key has a passphrase and there is no terminal to ask for it")

// Signer is an ssh.Signer that may hold a connection to the agent.
type Signer struct {
	ssh.Signer
	close func() error
}

// Close ends the connection to the agent, if there is one.
func (s *Signer) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

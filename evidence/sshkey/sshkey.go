// Package sshkey finds the SSH key that a person signs with: in a private key file, or in the running SSH agent when
// the public key file is named. It never writes a key and never keeps a passphrase.
// Start at Load.
package sshkey

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// ErrPassphrase says that the key needs a passphrase and nobody could be asked.
var ErrPassphrase = errors.New("the key has a passphrase, and there is nobody to ask for it")

// ErrPublic says that a public key was given and no agent holds its private half.
var ErrPublic = errors.New("it is a public key, and no SSH agent holds its private half")

// maxKeyFile is far above the size of any key.
const maxKeyFile = 1 << 20

// Loader is what Load needs of the world.
type Loader struct {
	// Ask asks a person for a passphrase, without showing it. Nil when there is nobody.
	Ask func(prompt string) ([]byte, error)
	// AgentSocket is the value of SSH_AUTH_SOCK, or empty.
	AgentSocket string
}

// Signer is an ssh.Signer that may hold a connection to the agent. It can choose the algorithm, which RSA keys need.
type Signer struct {
	ssh.AlgorithmSigner
	conn io.Closer
}

// Close ends the connection to the agent, if there is one.
func (s *Signer) Close() error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

// Load returns the signer of a key file. A private key is read from it; for a public key (id_ed25519.pub) the agent is
// asked, and then the private key file beside it. The caller closes the signer.
func (l Loader) Load(path string) (*Signer, error) {
	s, err := l.load(path)
	if err != nil {
		return nil, fmt.Errorf("load key %s: %w", path, err)
	}
	return s, nil
}

func (l Loader) load(path string) (*Signer, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	if public, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
		return l.loadPublic(path, public)
	}
	return l.loadPrivate(path, text)
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		// The path is in the caller's message already.
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			return nil, pathErr.Err
		}
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, errors.New("it is too large to be a key")
	}
	return text, nil
}

func (l Loader) loadPrivate(path string, text []byte) (*Signer, error) {
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return newSigner(signer, nil)
	case !errors.As(err, &locked):
		return nil, fmt.Errorf("it is no SSH key: %w", err)
	}
	// An agent that already holds the key spares the passphrase.
	if locked.PublicKey != nil {
		if s, err := l.fromAgent(locked.PublicKey); err == nil {
			return s, nil
		}
	}
	if l.Ask == nil {
		return nil, ErrPassphrase
	}
	passphrase, err := l.Ask(fmt.Sprintf("Passphrase of %s: ", path))
	if err != nil {
		return nil, fmt.Errorf("ask for the passphrase: %w", err)
	}
	defer clear(passphrase)
	signer, err = ssh.ParsePrivateKeyWithPassphrase(text, passphrase)
	if err != nil {
		return nil, fmt.Errorf("open it with the passphrase: %w", err)
	}
	return newSigner(signer, nil)
}

func newSigner(signer ssh.Signer, conn io.Closer) (*Signer, error) {
	s, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, fmt.Errorf("a key of type %s cannot sign here", signer.PublicKey().Type())
	}
	return &Signer{AlgorithmSigner: s, conn: conn}, nil
}

func (l Loader) loadPublic(path string, public ssh.PublicKey) (*Signer, error) {
	s, agentErr := l.fromAgent(public)
	if agentErr == nil {
		return s, nil
	}
	beside, found := strings.CutSuffix(path, ".pub")
	if !found {
		return nil, agentErr
	}
	text, err := read(beside)
	if err != nil {
		return nil, agentErr
	}
	s, err = l.loadPrivate(beside, text)
	if err != nil {
		return nil, err
	}
	if ssh.FingerprintSHA256(s.PublicKey()) != ssh.FingerprintSHA256(public) {
		return nil, fmt.Errorf("%s is another key's private half", beside)
	}
	return s, nil
}

// fromAgent returns the agent's signer for the key.
func (l Loader) fromAgent(public ssh.PublicKey) (*Signer, error) {
	if l.AgentSocket == "" {
		return nil, ErrPublic
	}
	conn, err := net.Dial("unix", l.AgentSocket)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPublic, err)
	}
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrPublic, err), conn.Close())
	}
	for _, s := range signers {
		if ssh.FingerprintSHA256(s.PublicKey()) == ssh.FingerprintSHA256(public) {
			return newSigner(s, conn)
		}
	}
	return nil, errors.Join(ErrPublic, conn.Close())
}

package cli

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"
	"golang.org/x/crypto/ssh"

	"github.com/belay-dr/belay/evidence"
)

// demoKeys gives each person of the demo's playbook an SSH key in DIR/keys, and writes the public half into belay.yaml. A
// person whose key file is there keeps it, so that a second demo in the same directory agrees with the same keys.
func demoKeys(dir string, people []string) (map[string]ssh.Signer, error) {
	signers := map[string]ssh.Signer{}
	public := map[string]string{}
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	for _, person := range people {
		signer, err := demoKey(filepath.Join(dir, "keys", person))
		if err != nil {
			return nil, fmt.Errorf("make key of %s: %w", person, err)
		}
		signers[person] = signer
		public[person] = evidence.AuthorizedKey(signer.PublicKey())
	}
	if err := registerKeys(filepath.Join(dir, "belay.yaml"), public); err != nil {
		return nil, fmt.Errorf("register keys: %w", err)
	}
	return signers, nil
}

// demoKey reads the private key at path, or makes it.
func demoKey(path string) (ssh.Signer, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return ssh.ParsePrivateKey(text)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "belay demo "+filepath.Base(path))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	return signer, os.WriteFile(path+".pub", []byte(evidence.AuthorizedKey(signer.PublicKey())+"\n"), 0o644)
}

// registerKeys adds one line `keys: [...]` to each person who has none. Nothing else of the file changes.
func registerKeys(path string, public map[string]string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	people := mappingValue(doc.Content[0], "people")
	if people == nil {
		return errors.New("the playbook names no people")
	}
	// From the last person to the first, so that a line that is put in moves none that is still to be looked at.
	for i := len(people.Content) - 2; i >= 0; i -= 2 {
		name, person := people.Content[i].Value, people.Content[i+1]
		key, wanted := public[name]
		if !wanted || mappingValue(person, "keys") != nil || person.Style&yaml.FlowStyle != 0 {
			continue
		}
		first := person.Content[0]
		line := strings.Repeat(" ", first.Column-1) + fmt.Sprintf("keys: [%q]", key)
		at := first.Line - 1
		lines = append(lines[:at], append([]string{line}, lines[at:]...)...)
	}
	draft := path + ".new"
	if err := os.WriteFile(draft, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

func mappingValue(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

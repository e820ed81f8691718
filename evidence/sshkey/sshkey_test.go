package sshkey_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sshkey"
)

// keygen runs the real ssh-keygen, which these tests cannot do without.
func keygen(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("ssh-keygen", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatal("ssh-keygen is missing: install the OpenSSH client")
	}
	return string(out), err
}

func mustKeygen(t *testing.T, stdin string, args ...string) {
	t.Helper()
	if out, err := keygen(t, stdin, args...); err != nil {
		t.Fatalf("ssh-keygen %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func newKey(t *testing.T, kind, passphrase string) (path, public string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "id")
	mustKeygen(t, "", "-q", "-t", kind, "-N", passphrase, "-C", "alice@example.com", "-f", path)
	text, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return path, strings.TrimSpace(string(text))
}

func load(t *testing.T, l sshkey.Loader, path string) *sshkey.Signer {
	t.Helper()
	s, err := l.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func agreement() evidence.Agreement {
	return evidence.Agreement{Application: "bookstore", Person: "alice", Role: "stakeholder", Substance: "sha256:" + strings.Repeat("ab", 32)}
}

// What Belay signs, ssh-keygen verifies, and the other way round.
func TestInteroperability(t *testing.T) {
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		t.Run(kind, func(t *testing.T) {
			path, public := newKey(t, kind, "")
			signed, err := agreement().Sign(evidence.KindAgreement, time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC), load(t, sshkey.Loader{}, path))
			if err != nil {
				t.Fatal(err)
			}
			if err := signed.Verify(evidence.KindAgreement, []string{public}); err != nil {
				t.Errorf("own signature: %v", err)
			}

			dir := t.TempDir()
			signers, signature := filepath.Join(dir, "signers"), filepath.Join(dir, "sig")
			for name, text := range map[string]string{signers: "alice " + public + "\n", signature: signed.Signature} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			verify := []string{"-Y", "verify", "-f", signers, "-I", "alice", "-n", evidence.AgreementNamespace, "-s", signature}
			mustKeygen(t, signed.Message(evidence.KindAgreement), verify...)
			if out, err := keygen(t, signed.Message(evidence.KindSeen), verify...); err == nil {
				t.Errorf("ssh-keygen took the signature for another message: %s", out)
			}

			message := filepath.Join(dir, "message")
			if err := os.WriteFile(message, []byte(signed.Message(evidence.KindAgreement)), 0o600); err != nil {
				t.Fatal(err)
			}
			mustKeygen(t, "", "-Y", "sign", "-f", path, "-n", evidence.AgreementNamespace, message)
			theirs, err := os.ReadFile(message + ".sig")
			if err != nil {
				t.Fatal(err)
			}
			signed.Signature = string(theirs)
			if err := signed.Verify(evidence.KindAgreement, []string{public}); err != nil {
				t.Errorf("ssh-keygen's signature: %v", err)
			}
			signed.Role = "operations"
			if err := signed.Verify(evidence.KindAgreement, []string{public}); err == nil {
				t.Error("ssh-keygen's signature holds for another role")
			}
		})
	}
}

func TestPassphrase(t *testing.T) {
	path, _ := newKey(t, "ed25519", "open sesame")
	if _, err := (sshkey.Loader{}).Load(path); !errors.Is(err, sshkey.ErrPassphrase) {
		t.Errorf("nobody to ask: got %v", err)
	}
	ask := func(answer string) sshkey.Loader {
		return sshkey.Loader{Ask: func(prompt string) ([]byte, error) {
			if prompt != "Passphrase of "+path+": " {
				t.Errorf("prompt %q", prompt)
			}
			return []byte(answer), nil
		}}
	}
	if _, err := ask("wrong").Load(path); err == nil || !strings.HasPrefix(err.Error(), "load key "+path+": open it with the passphrase: ") {
		t.Errorf("wrong passphrase: got %v", err)
	}
	load(t, ask("open sesame"), path)
}

func TestAgent(t *testing.T) {
	path, _ := newKey(t, "ed25519", "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	keyring := agent.NewKeyring()
	socket := serve(t, keyring)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	loader := sshkey.Loader{AgentSocket: socket}
	if _, err := loader.Load(path + ".pub"); !errors.Is(err, sshkey.ErrPublic) {
		t.Errorf("an agent without the key: got %v", err)
	}
	if err := keyring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	s := load(t, loader, path+".pub")
	signed, err := agreement().Sign(evidence.KindAgreement, time.Unix(0, 0), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := signed.Verify(evidence.KindAgreement, []string{evidence.AuthorizedKey(s.PublicKey())}); err != nil {
		t.Error(err)
	}
	if _, err := (sshkey.Loader{}).Load(path + ".pub"); !errors.Is(err, sshkey.ErrPublic) {
		t.Errorf("no agent: got %v", err)
	}
}

// serve runs an agent for the time of the test.
func serve(t *testing.T, keyring agent.Agent) string {
	t.Helper()
	// A socket's path is short on macOS; t.TempDir's is not.
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				agent.ServeAgent(keyring, conn) //nolint:errcheck // it ends with the connection
			}()
		}
	}()
	return socket
}

func TestPublicKeyBesideItsPrivateHalf(t *testing.T) {
	path, public := newKey(t, "ed25519", "")
	s := load(t, sshkey.Loader{}, path+".pub")
	if !evidence.SameKey(public, s.PublicKey()) {
		t.Error("another key")
	}
	other, _ := newKey(t, "ed25519", "")
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if _, err := (sshkey.Loader{}).Load(path + ".pub"); err == nil || !strings.Contains(err.Error(), "is another key's private half") {
		t.Errorf("got %v", err)
	}
}

func TestLoadBadFiles(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file or directory",
		text:                       "it is no SSH key: ssh: no key found",
		dir:                        "directory",
		"/dev/zero":                "it is too large to be a key",
	} {
		_, err := (sshkey.Loader{}).Load(path)
		if err == nil || !strings.HasPrefix(err.Error(), "load key "+path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

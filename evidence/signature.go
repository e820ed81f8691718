package evidence

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// ErrUnsigned says that there is no signature to check.
var ErrUnsigned = errors.New("not signed")

// ErrKeyNotRegistered says that a signature is by a key which is not among the person's.
var ErrKeyNotRegistered = errors.New("the signing key is not one of the person's keys in the playbook")

// sign returns an armoured SSH signature over message and the signer's public key in authorized_keys form.
func sign(message, namespace string, signer ssh.Signer) (signature, key string, err error) {
	s, err := sshsig.Sign(strings.NewReader(message), signer, sshsig.HashSHA512, namespace)
	if err != nil {
		return "", "", err
	}
	return string(sshsig.Armor(s)), AuthorizedKey(signer.PublicKey()), nil
}

// verify checks an armoured signature over message against keys, which are in authorized_keys form.
func verify(message, namespace, signature string, keys []string) error {
	if signature == "" {
		return ErrUnsigned
	}
	s, err := sshsig.Unarmor([]byte(signature))
	if err != nil {
		return fmt.Errorf("read signature: %w", err)
	}
	for _, line := range keys {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil || ssh.FingerprintSHA256(key) != ssh.FingerprintSHA256(s.PublicKey) {
			continue
		}
		if err := sshsig.Verify(strings.NewReader(message), s, key, s.HashAlgorithm, namespace); err != nil {
			return fmt.Errorf("verify signature by %s: %w", ssh.FingerprintSHA256(key), err)
		}
		return nil
	}
	return fmt.Errorf("%w (%s)", ErrKeyNotRegistered, ssh.FingerprintSHA256(s.PublicKey))
}

// AuthorizedKey writes a public key as one line of an authorized_keys file, without a comment.
func AuthorizedKey(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// SameKey reports whether the line of an authorized_keys file holds the key.
func SameKey(line string, key ssh.PublicKey) bool {
	parsed, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	return err == nil && ssh.FingerprintSHA256(parsed) == ssh.FingerprintSHA256(key)
}

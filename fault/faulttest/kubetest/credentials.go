package kubetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The users of the cluster, which are also the names of the contexts in its kubeconfig.
const (
	Admin = "admin" // may do everything
	// Viewer may look at most things and change nothing.
	Viewer = "viewer"
	// Stranger is known to nobody.
	Stranger = "stranger"
)

// credentials writes what the programs and the clients of one cluster know each other by.
func credentials(dir, server string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	self := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubetest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, self, self, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	var tokens strings.Builder
	fmt.Fprintf(&tokens, "%s,%s,1,system:masters\n%s,%s,2,kubetest:viewers\n", token(Admin), Admin, token(Viewer), Viewer)
	for name, content := range map[string][]byte{
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
		"sa.key":  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
		"sa.pub":  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		"tokens":  []byte(tokens.String()),
		"config":  []byte(kubeconfig(dir, server)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// token is worth nothing outside: the server listens on the loopback of this machine, for as long as the tests run.
func token(user string) string { return "kubetest-" + user }

func kubeconfig(dir, server string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Config\ncurrent-context: %s\n", Admin)
	fmt.Fprintf(&b, "clusters:\n- {name: kubetest, cluster: {server: %q, certificate-authority: %q}}\nusers:\n", server, filepath.Join(dir, "tls.crt"))
	for _, user := range []string{Admin, Viewer, Stranger} {
		fmt.Fprintf(&b, "- {name: %s, user: {token: %s}}\n", user, token(user))
	}
	b.WriteString("contexts:\n")
	for _, user := range []string{Admin, Viewer, Stranger} {
		fmt.Fprintf(&b, "- {name: %s, context: {cluster: kubetest, user: %s}}\n", user, user)
	}
	return b.String()
}

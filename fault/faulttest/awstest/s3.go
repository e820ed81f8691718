package awstest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// S3 is a real S3-compatible server with users and policies of its own: versitygw, with its service for IAM and STS.
type S3 struct {
	// Gateway and IAM are the addresses.
	Gateway, IAM string
	root         sdk.Credentials
}

// S3Account and S3Region are the account and the only region of that server.
const (
	S3Account = "000000000000"
	S3Region  = "us-east-1"
)

// FindS3 is where the server's program is; empty when it was not built.
func FindS3(repository string) string {
	out, err := exec.Command(filepath.Join(repository, "tools", "versitygw", "build"), "--where").Output()
	if err != nil {
		return ""
	}
	return filepath.Join(strings.TrimSpace(string(out)), "versitygw")
}

// StartS3 starts the server until the test ends.
func StartS3(t testing.TB, program string) *S3 {
	t.Helper()
	dir := t.TempDir()
	s := &S3{root: sdk.Credentials{AccessKeyID: "belayroot", SecretAccessKey: "belayrootsecret"}}
	// A socket's path may have a hundred characters: the test's own directory may be too long.
	short, err := os.MkdirTemp("", "belay-s3-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	socket := filepath.Join(short, "iam")
	for _, name := range []string{"iam", "data", "sidecar"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.IAM = s.start(t, program, "iam", "--quiet", "--dir", filepath.Join(dir, "iam"), "--private-ports", socket)
	s.Gateway = s.start(t, program, "--iam-standalone-endpoint", socket, "--quiet", "posix", "--sidecar", filepath.Join(dir, "sidecar"), filepath.Join(dir, "data"))
	return s
}

// start starts one of its two programs and waits until it answers.
func (s *S3) start(t testing.TB, program string, args ...string) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	_ = free.Close()
	var log bytes.Buffer
	cmd := exec.Command(program, append([]string{"--port", at, "--region", S3Region, "--health", "/health"}, args...)...)
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + s.root.AccessKeyID, "ROOT_SECRET_KEY=" + s.root.SecretAccessKey, "HOME=" + t.TempDir()}
	cmd.Stdout, cmd.Stderr = &log, &log
	// It must not outlive the test, also when that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if answer, err := http.Get("http://" + at + "/health"); err == nil {
			_ = answer.Body.Close()
			return "http://" + at
		}
		if time.Now().After(end) {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("versitygw does not come up: %s", log.String())
		}
	}
}

// User makes a user who may do everything with S3, and returns the user's keys.
func (s *S3) User(t testing.TB, name string) sdk.Credentials {
	t.Helper()
	s.call(t, url.Values{"Action": {"CreateUser"}, "UserName": {name}}, nil)
	s.call(t, url.Values{
		"Action": {"PutUserPolicy"}, "UserName": {name}, "PolicyName": {"all"},
		"PolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`},
	}, nil)
	var made struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	s.call(t, url.Values{"Action": {"CreateAccessKey"}, "UserName": {name}}, &made)
	return sdk.Credentials{AccessKeyID: made.ID, SecretAccessKey: made.Secret}
}

// Root are the credentials of the server's owner.
func (s *S3) Root() sdk.Credentials { return s.root }

// call asks the IAM service as root.
func (s *S3) call(t testing.TB, form url.Values, into any) {
	t.Helper()
	form.Set("Version", "2010-05-08")
	body := form.Encode()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.IAM+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(context.Background(), s.root, r, hex.EncodeToString(sum[:]), "iam", S3Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, b)
	}
	if err == nil && into != nil {
		err = xml.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", form.Get("Action"), err)
	}
}

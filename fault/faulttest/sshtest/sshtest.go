// Package sshtest starts a real OpenSSH server in a network namespace of its own, with a client's namespace beside it, so
// that tests can cut and silence the network between the two. Nothing outside these namespaces is touched. Start at Start.
package sshtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The addresses of the two ends. They exist only inside the two namespaces.
const (
	server = "10.111.22.1"
	client = "10.111.22.2"
)

// Server is a running server.
type Server struct {
	// Where is the place as a playbook names it.
	Where string
	// SSH is the command that reaches it, for BELAY_SSH.
	SSH string
	// Dir is a directory of its own; Holds is where holders that are reached keep their undo records.
	Dir, Holds string
	// ClientNS and ServerNS are the two namespaces. They are named after this process: tests of other packages run at the same time.
	ClientNS, ServerNS string
}

// Start starts a server and ends it with the test. It returns nil when it cannot be had here; with CI=true that fails the test.
func Start(t testing.TB) *Server {
	t.Helper()
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil || os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the tests over ssh need root and OpenSSH's server: %v", err)
		}
		t.Logf("NOT TESTED: faults over ssh need root and OpenSSH's server: apt-get install openssh-server")
		return nil
	}
	s := &Server{Where: "ssh://root@" + server, Dir: t.TempDir(), ClientNS: fmt.Sprintf("belay-ssh-c%d", os.Getpid()), ServerNS: fmt.Sprintf("belay-ssh-s%d", os.Getpid())}
	s.Holds = filepath.Join(s.Dir, "holds")
	s.network(t)
	s.keys(t)
	s.daemon(t, sshd)
	return s
}

// network makes the two namespaces and a wire between them.
func (s *Server) network(t testing.TB) {
	t.Helper()
	left, _ := filepath.Glob("/run/netns/belay-ssh-[cs]*") // by tests that were killed: their names end with the process
	for _, path := range left {
		if pid := path[len("/run/netns/belay-ssh-c"):]; unix.Access("/proc/"+pid, unix.F_OK) != nil {
			_ = exec.Command("ip", "netns", "del", filepath.Base(path)).Run()
		}
	}
	for _, ns := range []string{s.ClientNS, s.ServerNS} {
		Run(t, "ip", "netns", "add", ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		Run(t, "ip", "-n", ns, "link", "set", "lo", "up")
	}
	Run(t, "ip", "-n", s.ClientNS, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", s.ServerNS)
	Run(t, "ip", "-n", s.ClientNS, "addr", "add", client+"/24", "dev", "wire")
	Run(t, "ip", "-n", s.ServerNS, "addr", "add", server+"/24", "dev", "wire")
	Run(t, "ip", "-n", s.ClientNS, "link", "set", "wire", "up")
	Run(t, "ip", "-n", s.ServerNS, "link", "set", "wire", "up")
}

// keys makes a host key, a user key, and the configuration of both sides.
func (s *Server) keys(t testing.TB) {
	t.Helper()
	for _, name := range []string{"host", "user"} {
		Run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", s.path(name))
	}
	pub, err := os.ReadFile(s.path("host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "known_hosts", server+" "+string(pub))
	s.write(t, "config", fmt.Sprintf("Host %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile /dev/null\n",
		server, s.path("user"), s.path("known_hosts")))
	s.write(t, "sshd_config", fmt.Sprintf(`ListenAddress %s:22
HostKey %s
AuthorizedKeysFile %s
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
MaxStartups 100
SetEnv BELAY_STATE_DIR=%s
`, server, s.path("host"), s.path("user.pub"), s.Holds))
	s.SSH = "ip netns exec " + s.ClientNS + " ssh -F " + s.path("config")
}

// daemon starts the server and waits until it answers.
func (s *Server) daemon(t testing.TB, sshd string) {
	t.Helper()
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where Debian's sshd separates privileges
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command("ip", "netns", "exec", s.ServerNS, sshd, "-D", "-e", "-f", s.path("sshd_config"))
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second // a session that still runs has it open
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sshd: %s", said.String())
		}
	})
	until := time.Now().Add(20 * time.Second)
	for {
		err := exec.Command("sh", "-c", s.SSH+" -o BatchMode=yes -o ConnectTimeout=2 root@"+server+" true").Run()
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the server does not answer: %v", err)
		}
	}
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

func (s *Server) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Silence lets every packet between the two hosts vanish, without a word to either. The function that it returns lets them
// talk again.
func (s *Server) Silence(t testing.TB) (back func()) {
	t.Helper()
	Run(t, "ip", "-n", s.ServerNS, "link", "set", "wire", "down")
	return func() { Run(t, "ip", "-n", s.ServerNS, "link", "set", "wire", "up") }
}

// Run runs a command that must not fail.
func Run(t testing.TB, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
}

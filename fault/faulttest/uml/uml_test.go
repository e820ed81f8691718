package uml_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/faulttest/uml"
)

// TestInside looks at the kernel inside: it is another one, with what was asked for, and this machine's files cannot be written.
func TestInside(t *testing.T) {
	if !uml.Inside() {
		uml.Run(t, uml.Options{Modules: []string{"sch_netem"}, Env: []string{"WORD=it's $HOME"}})
		return
	}
	b, err := os.ReadFile("/proc/version")
	if err != nil || !strings.Contains(string(b), "6.1.") {
		t.Errorf("the kernel is %s, %v", b, err)
	}
	if out, err := exec.Command("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "50ms").CombinedOutput(); err != nil {
		t.Errorf("netem: %v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	began := time.Now()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if took := time.Since(began); took < 100*time.Millisecond || took > 400*time.Millisecond {
		t.Errorf("a connection over 2 x 50 ms took %s", took)
	}
	if err := os.WriteFile("/var/lib/belay-was-here", nil, 0o600); err == nil {
		t.Error("this machine's files can be written from inside")
	}
	if err := os.MkdirAll(filepath.Join(os.Getenv("BELAY_STATE_DIR"), "x"), 0o700); err != nil {
		t.Error(err)
	}
	if w := os.Getenv("WORD"); w != "it's $HOME" {
		t.Errorf("the word is %q", w)
	}
	if b, err := os.ReadFile("/sys/fs/cgroup/cgroup.subtree_control"); err != nil || !strings.Contains(string(b), "memory") {
		t.Errorf("the controllers are %q, %v", b, err)
	}
	if _, err := os.Stat("uml_test.go"); err != nil {
		t.Error("it does not run in the package's directory:", err)
	}
}

package uml

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMisbehave is what TestEnds starts inside: it does what the variable says.
func TestMisbehave(t *testing.T) {
	switch os.Getenv("MISBEHAVE") {
	case "fail":
		t.Error("it was told to fail")
	case "hang":
		time.Sleep(time.Hour)
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "panic":
		if err := os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// TestEnds shows that a failure, a hang, a crash of the kernel and a missing module are seen, and that nothing is left running.
func TestEnds(t *testing.T) {
	if Inside() {
		return
	}
	if why := missing(); why != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Logf("NOT TESTED: %s", why)
		return
	}
	binary := static(t)
	for _, c := range []struct {
		name, say string
		o         Options
		code      int
	}{
		{"fail", "it was told to fail", Options{Env: []string{"MISBEHAVE=fail"}}, 1},
		{"hang", "test timed out", Options{Env: []string{"MISBEHAVE=hang"}, Timeout: 9 * time.Second}, 2},
		{"stop", "=== RUN   TestMisbehave", Options{Env: []string{"MISBEHAVE=stop"}, Timeout: 6 * time.Second}, -1},
		{"panic", "=== RUN   TestMisbehave", Options{Env: []string{"MISBEHAVE=panic"}, Timeout: 20 * time.Second}, -1},
		{"module", "load module no_such_module", Options{Modules: []string{"no_such_module"}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Run, c.o.Memory = "^TestMisbehave$", 256
			if c.o.Timeout == 0 {
				c.o.Timeout = time.Minute
			}
			code, out := boot(t, c.o, binary)
			if code != c.code || !strings.Contains(out, c.say) {
				t.Errorf("code %d, want %d:\n%s", code, c.code, out)
			}
			if left := running(t, "uml_dir="+filepath.Dir(t.TempDir())); len(left) > 0 {
				t.Errorf("still running: %q", left)
			}
		})
	}
}

// running are the command lines that have this text.
func running(t *testing.T, text string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range lines {
		b, _ := os.ReadFile(path)
		if words := strings.ReplaceAll(string(b), "\x00", " "); strings.Contains(words, text) {
			out = append(out, words)
		}
	}
	return out
}

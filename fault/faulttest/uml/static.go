package uml

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// static returns this test binary, or builds it again when it needs libraries of this machine: one with the race detector does, or
// one that links C.
func static(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if !dynamic(t, self) {
		return self
	}
	out := filepath.Join(t.TempDir(), "static.test")
	cmd := exec.Command("go", "test", "-c", "-o", out, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the test binary without C: %v\n%s", err, said)
	}
	return out
}

// dynamic says that a binary asks for an interpreter.
func dynamic(t *testing.T, path string) bool {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return true
		}
	}
	return false
}

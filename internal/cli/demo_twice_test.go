package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A demo does not sign or break anything where an exercise is going on.
func TestDemoBesideAnExercise(t *testing.T) {
	dir := t.TempDir()
	lock := filepath.Join(dir, ".belay", "exercise-staging.lock")
	writeFile(t, lock, "01JD0000000000000000000000\n")
	f, err := os.Open(lock)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "demo", "--dir", dir)
	if code != 3 || stdout != "" || !strings.Contains(stderr, "exercise 01JD0000000000000000000000 is going on in "+dir+", perhaps that of another demo\nbelay: hint: wait until") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v: %v", entries, err)
	}
}

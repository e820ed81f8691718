package file_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/file"
)

// systemRigs are those that only this system has.
func systemRigs() map[string]func(testing.TB) faulttest.Rig {
	rigs := map[string]func(testing.TB) faulttest.Rig{"read_only": readOnlyRig}
	if os.Geteuid() == 0 {
		rigs["slow"] = slowRig
		rigs["errors"] = errorsRig
	}
	return rigs
}

// root says that we are root. In CI we must be.
func root(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() == 0 {
		return true
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("only root can do this, and CI must test it")
	}
	t.Log("NOT TESTED: only root can do this")
	return false
}

// chattr is the eye, and the hand of a recovery, that knows nothing of our code.
func chattr(t testing.TB, args ...string) {
	if out, err := exec.Command("chattr", args...).CombinedOutput(); err != nil {
		t.Errorf("chattr %v: %v: %s", args, err, out)
	}
}

func readOnlyRig(t testing.TB) faulttest.Rig {
	top := filepath.Join(t.TempDir(), "top")
	data := filepath.Join(top, "data")
	inside := filepath.Join(data, "sub", "file")
	if err := os.MkdirAll(filepath.Dir(inside), 0o750); err != nil {
		t.Fatal(err)
	}
	write(t, inside, "original")
	before := snapshotOf(t, top)
	free := func() {
		if os.Geteuid() == 0 {
			chattr(t, "-R", "-i", data)
			return
		}
		for _, path := range []string{data, filepath.Dir(inside), inside} {
			_ = os.Chmod(path, 0o750)
		}
	}
	t.Cleanup(func() {
		if _, err := os.Stat(data); err == nil {
			free()
		}
	})
	return faulttest.Rig{
		Kinds: file.Kinds(),
		Spec:  faulttest.Spec(t, object{"file": object{"read_only": data}}),
		Broken: func() bool {
			f, err := os.OpenFile(inside, os.O_WRONLY, 0)
			if err == nil {
				f.Close()
			}
			made := os.Mkdir(filepath.Join(data, "made"), 0o700)
			if made == nil {
				os.Remove(filepath.Join(data, "made"))
			}
			return err != nil || made != nil || os.Geteuid() != 0 && snapshotOf(t, top) != before
		},
		Remove: func() { free(); os.RemoveAll(top) },
		Change: func() { free(); write(t, inside, "recovered") },
		Intact: func() bool { b, err := os.ReadFile(inside); return err == nil && string(b) == "recovered" },
	}
}

// unmount takes whatever is mounted there away.
func unmount(dir string) {
	for unix.Unmount(dir, unix.MNT_DETACH) == nil {
	}
}

func isMount(dir string) bool {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	return strings.Contains(string(b), " "+dir+" ")
}

// overRig is a directory of its own, and whether it is broken is what the function says.
func overRig(t testing.TB, config func(dir string) object, broken func(dir string) bool) faulttest.Rig {
	top := filepath.Join(t.TempDir(), "top")
	dir := filepath.Join(top, "data")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "file"), "original")
	t.Cleanup(func() { unmount(dir) })
	return faulttest.Rig{
		Kinds:  file.Kinds(),
		Spec:   faulttest.Spec(t, config(dir)),
		Broken: func() bool { return broken(dir) },
		// The fault goes with the input of the process that serves it. Its mount is left for the reaper or a sweep.
		KernelEnds: true,
		Remove:     func() { unmount(dir); os.RemoveAll(top) },
		Change:     func() { unmount(dir); write(t, filepath.Join(dir, "file"), "recovered") },
		Intact: func() bool {
			b, err := os.ReadFile(filepath.Join(dir, "file"))
			return err == nil && string(b) == "recovered" && !isMount(dir)
		},
	}
}

func slowRig(t testing.TB) faulttest.Rig {
	return overRig(t, func(dir string) object {
		return object{"file": object{"slow": object{"path": dir, "delay": "50ms", "operations": []string{"write"}}}}
	}, func(dir string) bool {
		f, err := os.OpenFile(filepath.Join(dir, "file"), os.O_WRONLY, 0)
		if err != nil {
			return false
		}
		defer f.Close()
		began := time.Now()
		_, err = f.WriteAt([]byte("o"), 0)
		return err == nil && time.Since(began) >= 50*time.Millisecond
	})
}

func errorsRig(t testing.TB) faulttest.Rig {
	return overRig(t, func(dir string) object {
		return object{"file": object{"errors": object{"path": dir, "error": "ENOSPC"}}}
	}, func(dir string) bool {
		err := os.WriteFile(filepath.Join(dir, "made"), []byte("x"), 0o600)
		os.Remove(filepath.Join(dir, "made"))
		return errors.Is(err, unix.ENOSPC)
	})
}

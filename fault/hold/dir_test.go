package hold

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestShelter is the place for a user whose home is missing or cannot be written to. Root has a place of its own.
func TestShelter(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	inside := shelter()
	if filepath.Dir(inside) != tmp {
		t.Fatalf("shelter is %s", inside)
	}
	holds := filepath.Join(inside, "holds")
	// Somebody else's link.
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, inside); err != nil {
		t.Fatal(err)
	}
	if _, err := openDir(holds); err == nil || !strings.Contains(err.Error(), "is a symbolic link: set BELAY_STATE_DIR") {
		t.Errorf("a link: %v, want a refusal", err)
	}
	if err := os.Remove(inside); err != nil {
		t.Fatal(err)
	}
	if dir, err := openDir(holds); err != nil || !strings.HasSuffix(dir, filepath.Join("belay-"+filepath.Base(inside)[len("belay-"):], "holds")) {
		t.Errorf("open: %s, %v", dir, err)
	}
	if err := os.Chmod(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() error{
		"open": func() error { _, err := openDir(holds); return err },
		"read": func() error { _, _, err := readDir(holds); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), "chmod 700") {
			t.Errorf("%s a shelter that others can read: %v, want a refusal", name, err)
		}
	}
}

func TestDefaultDir(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "darwin" {
		if dir, err := DefaultDir(); err != nil || !filepath.IsAbs(dir) {
			t.Errorf("%s, %v", dir, err)
		}
		return
	}
	home, state, tmp := t.TempDir(), t.TempDir(), t.TempDir()
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ set, home, xdg, want string }{
		{"/s", home, state, "/s"},
		{"", home, state, filepath.Join(state, "belay", "holds")},
		{"", home, "", filepath.Join(home, ".local", "state", "belay", "holds")},
		{"", home, "relative", filepath.Join(home, ".local", "state", "belay", "holds")},
		{"", closed, "", filepath.Join(tmp, filepath.Base(shelter()), "holds")},
		{"", "/nonexistent", closed, filepath.Join(tmp, filepath.Base(shelter()), "holds")},
		{"", "/", "", filepath.Join(tmp, filepath.Base(shelter()), "holds")},
	} {
		t.Setenv("TMPDIR", tmp)
		t.Setenv("BELAY_STATE_DIR", c.set)
		t.Setenv("HOME", c.home)
		t.Setenv("XDG_STATE_HOME", c.xdg)
		if dir, err := DefaultDir(); err != nil || dir != c.want {
			t.Errorf("%+v: %s, %v", c, dir, err)
		}
	}
}

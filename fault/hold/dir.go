package hold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// DefaultDir is where undo records are kept on this host: BELAY_STATE_DIR when it is set, else a fixed place for root
// or for this user. It is never inside a workspace, so that a fault in one cannot take its own undo away.
func DefaultDir() (string, error) {
	if dir := os.Getenv("BELAY_STATE_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	if runtime.GOOS != "darwin" {
		if os.Geteuid() == 0 {
			return "/var/lib/belay/holds", nil
		}
		if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, "belay", "holds"), nil
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a place for undo records: %w; set BELAY_STATE_DIR", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "belay", "holds"), nil
	}
	return filepath.Join(home, ".local", "state", "belay", "holds"), nil
}

// openDir makes the directory and refuses one that others could write to: an undo record is carried out with our rights.
func openDir(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the undo directory: %w", err)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("open the undo directory: %w", err)
	}
	if err := safeDir(real); err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

func safeDir(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("open the undo directory: %w", err)
	}
	if !st.IsDir() {
		return fmt.Errorf("open the undo directory: %s is not a directory", dir)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("open the undo directory: others may read or write %s: chmod 700 %s", dir, dir)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return fmt.Errorf("open the undo directory: %s belongs to user %d, not to us (%d)", dir, sys.Uid, os.Geteuid())
	}
	return nil
}

// readDir is openDir for those who only look: a directory that does not exist yet is empty.
func readDir(dir string) (string, bool, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", false, fmt.Errorf("open the undo directory: %w", err)
	}
	return real, true, safeDir(real)
}

// apart refuses a fault that would take its own undo record away, or change it.
func apart(dir string, touches []string) error {
	for _, t := range touches {
		if real, err := filepath.EvalSymlinks(t); err == nil {
			t = real
		}
		if within(dir, t) || within(t, dir) {
			return fmt.Errorf("%w: the undo records are in %s, which the fault would touch (%s): set BELAY_STATE_DIR elsewhere", ErrRefused, dir, t)
		}
	}
	return nil
}

// within says that path is dir or below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
